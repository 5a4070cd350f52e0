"""Elements at places that are values: gather, scatter, dynamic slices."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.registry import rule, rules
from compose.port.frontends.jax.values import Value, Weight
from compose.port.lowering.literals import number

_MODES = {"scatter": "set", "scatter-add": "add", "scatter-min": "min", "scatter-max": "max"}


@rule("jax.gather")
def _gather(low, eqn, x, places):
    dims, sizes = eqn.params["dimension_numbers"], tuple(map(int, eqn.params["slice_sizes"]))
    axes = tuple(map(int, dims.start_index_map))
    collapsed, batched = (tuple(map(int, d)) for d in (dims.collapsed_slice_dims, dims.operand_batching_dims))
    shape, out = x.shape, eqn.outputs[0].shape
    whole = all(sizes[i] == n for i, n in enumerate(shape) if i not in (*collapsed, *batched))
    if not whole or sorted(collapsed) != sorted(axes) or not axes:
        return _windows(low, eqn, x, places, dims, sizes)
    if isinstance(x, Weight) and not batched and axes == (0,) and len(shape) == 2 and isinstance(places, Value):
        ids = _first_index(low, eqn, places)
        if dims.offset_dims == (len(out) - 1,) and ids is not None and x.shape == x.own and x.view.axes is None:
            return low.emit(word("embedding")(*shape), ids, weights={"embedding": x})
    like = x if isinstance(x, Value) else places
    value = filled(low, x, like)
    if batched:
        return _along(low, eqn, value, places, dims, axes, batched)
    lead = tuple(places.shape[:-1])
    index = [_column(low, places, i, like, lead) for i in range(len(axes))]
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    axes, index = tuple(axes[i] for i in order), [index[i] for i in order]
    together = axes == tuple(range(axes[0], axes[0] + len(axes)))
    front = axes[0] if together else 0
    kept = [n for i, n in enumerate(shape) if i not in axes]
    made = (*kept[:front], *lead, *kept[front:])
    if len(axes) == 1:
        y = low.emit(word("ops.take")(axis=axes[0], **_outside(eqn)), value, index[0], shape=made)
    else:
        y = low.emit(word("index_axes")(axes=axes), value, *index, shape=made)
    return _ordered(low, y, made, [*range(front, front + len(lead))], dims.offset_dims, out)


@rule("jax.scatter-mul")
def _multiplied(low, eqn, x, places, updates):
    raise PortError(
        "elements multiplied where they are, got at[...].multiply, which has no gradient in JAX: "
        "x.at[places].set(x[places] * y) has one where the places differ"
    )


def _ordered(low: Any, y: Value, made: tuple, lead: list[int], offsets: tuple, out: tuple) -> Value:
    """The result with its axes where the trace has them: those of the places among those of the array."""
    rest = [i for i in range(len(made)) if i not in lead]
    offsets = tuple(map(int, offsets))
    first, second = iter(lead), iter(rest)
    order = tuple(next(second) if i in offsets else next(first) for i in range(len(out)))
    return y if order == tuple(range(len(order))) else low.emit(word("permute")(*order), y)


def _column(low: Any, places: Any, i: int, like: Value, lead: tuple) -> Value:
    """The places along one axis."""
    if isinstance(places, np.ndarray):
        return low.as_value(np.array(places[..., i]), like).but(own=())
    places = filled(low, places, like)
    index = ", ".join([*[":"] * len(lead), str(i)])
    return low.emit(word("at")(index), places, shape=lead)


def _along(low, eqn, x, places, dims, axes, batched):
    """One place in each row, as `take_along_axis`."""
    lead, own = tuple(places.shape[:-1]), tuple(map(int, dims.start_indices_batching_dims))
    if len(axes) != 1 or len(batched) != x.ndim - 1 or dims.offset_dims:
        raise PortError("places along one axis, the same number in each row of the others")
    free = [i for i in range(len(lead)) if i not in own]
    if isinstance(places, np.ndarray):
        index = filled(low, np.array(places[..., 0]), x)
    else:
        index = _column(low, places, 0, x, lead)
    order = [*(own[batched.index(i)] for i in range(x.ndim) if i in batched)]
    at = axes[0]
    turned = (*order[:at], *free, *order[at:])
    if turned != tuple(range(len(lead))):
        index = low.emit(word("permute")(*turned), index, shape=tuple(lead[i] for i in turned))
    rows = tuple(lead[i] for i in turned)
    flat = (*rows[:at], int(np.prod([lead[i] for i in free])), *rows[at + len(free) :])
    if flat != rows:
        fixed = tuple(None if n and n % low.batch == 0 else n for n in rows)
        index = low.emit(word("ensure_shape")(*fixed), index, shape=rows)
        index = low.emit(word("reshape")(*_free(low, flat), batch=False), index, shape=flat)
    y = low.emit(word("ops.take_along_axis")(axis=at, **_outside(eqn)), x, index, shape=flat)
    if flat != rows:
        y = low.emit(word("reshape")(*_free(low, rows), batch=False), y, shape=rows)
    back = tuple(int(i) for i in np.argsort(turned))
    return y if back == tuple(range(len(back))) else low.emit(word("permute")(*back), y)


def _outside(eqn: Any) -> dict[str, Any]:
    """The options for what is read at places outside of an array."""
    if "FILL" not in str(eqn.params["mode"]):
        return {"mode": "clip"}
    fill = eqn.params["fill_value"]
    return {} if fill is None else {"mode": "fill", "fill_value": np.asarray(fill).item()}


def _free(low: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose batch may have any size."""
    at = [i for i, n in enumerate(shape) if n and n % low.batch == 0]
    if len(at) > 1:
        raise PortError("one axis of the batch")
    return tuple(-1 if i in at else n for i, n in enumerate(shape))


def _first_index(low: Any, eqn: Any, places: Value) -> Value | None:
    """The ids themselves, before JAX moved those below 0 and gave them an axis of length 1."""
    shape = tuple(places.shape[:-1])
    var = eqn.inputs[1]
    for _ in range(8):
        maker = low.makers.get(var)
        if maker is None or maker.name not in ("broadcast_in_dim", "reshape", "select_n", "convert_element_type"):
            break
        if maker.name == "select_n":
            below = low.makers.get(maker.inputs[0])
            if below is None or below.name != "lt" or number(below.inputs[1]) != 0:
                break
            var = maker.inputs[1]
        elif np.prod(maker.inputs[0].shape) != np.prod(shape):
            break
        else:
            var = maker.inputs[0]
        found = low.env.get(var)
        if isinstance(found, Value) and found.shape == shape and not found.own and found.dtype.kind in "iu":
            places = found
    if places.shape == shape:
        return places
    return _column(low, places, 0, places, shape)


def _windows(low, eqn, x, places, dims, sizes):
    """A window at one place: a dynamic slice."""
    axes = tuple(map(int, dims.start_index_map))
    if dims.operand_batching_dims or len(places.shape) != 1 or dims.collapsed_slice_dims:
        raise PortError(
            "places whose whole rows are taken, or one window for all; "
            "take windows by the places of their elements, x[:, start[:, None] + jnp.arange(n)]"
        )
    y = filled(low, x, places if isinstance(places, Value) else None)
    for i, axis in enumerate(axes):
        start = low.as_value(np.asarray(places)[i], y) if isinstance(places, np.ndarray) else None
        start = low.emit(word("at")(str(i)), places, shape=()) if start is None else start
        shape = tuple(sizes[axis] if a == axis else n for a, n in enumerate(y.shape))
        if shape != y.shape:
            layer = word("ops.dynamic_slice_in_dim")(slice_size=sizes[axis], axis=axis)
            y = low.emit(layer, y, start, shape=shape)
    return y


@rules(*(f"jax.{name}" for name in _MODES))
def _scatter(low, eqn, x, places, updates):
    dims, mode = eqn.params["dimension_numbers"], _MODES[eqn.name]
    axes = tuple(map(int, dims.scatter_dims_to_operand_dims))
    inserted = tuple(map(int, dims.inserted_window_dims))
    like = next(v for v in (x, updates, places) if isinstance(v, Value))
    if dims.operand_batching_dims:
        raise PortError("places that are the same for each example, or of all axes; write them with jnp.where")
    x, updates = (filled(low, v, like) for v in (x, updates))
    windows = tuple(map(int, dims.update_window_dims))
    lead = tuple(n for i, n in enumerate(updates.shape) if i not in windows)
    if sorted(inserted) == sorted(axes):
        order = sorted(range(len(axes)), key=lambda i: axes[i])
        index = [_column(low, places, i, like, lead) for i in order]
        if "CLIP" in str(eqn.params["mode"]):
            index = [low.emit(word("ops.clip")(min=0, max=x.shape[axes[i]] - 1), v) for i, v in zip(order, index)]
        axes = tuple(axes[i] for i in order)
        front = axes[0] if axes == tuple(range(axes[0], axes[0] + len(axes))) else 0
        rest = iter(windows)
        at = iter([i for i in range(updates.ndim) if i not in windows])
        moved = [next(at) if front <= i < front + len(lead) else next(rest) for i in range(updates.ndim)]
        if moved != list(range(updates.ndim)):
            shape = tuple(updates.shape[i] for i in moved)
            updates = low.emit(word("permute")(*moved), updates, shape=shape)
        options = {} if mode == "set" else {"mode": mode}
        return low.emit(word("index_update")(axes=axes, **options), x, updates, *index)
    if inserted or lead or not isinstance(places, np.ndarray):
        return _moving(low, x, places, updates, axes, inserted, lead, mode)
    return _window(low, x, dict(zip(axes, map(int, places))), updates, mode)


def _moving(low, x, places, updates, axes, inserted, lead, mode):
    """A window written to a place that is a value."""
    if inserted or lead or len(axes) != 1 or mode != "set" or not isinstance(places, Value):
        raise PortError("whole rows written at their places, or one window; write others with jnp.where")
    start = low.emit(word("at")("0"), places, shape=())
    return low.emit(word("ops.dynamic_update_slice_in_dim")(axis=axes[0]), x, updates, start)


def _window(low: Any, x: Value, starts: dict[int, int], updates: Value, mode: str) -> Value:
    """A window written to a place that is known, along one axis after the other."""
    moved = [a for a in starts if x.shape[a] != updates.shape[a]]
    if not moved:
        starts = {next(iter(starts), 0): 0}
        moved = list(starts)
    index, shape = [], list(updates.shape)
    for axis in sorted(moved):
        places = np.arange(starts[axis], starts[axis] + updates.shape[axis])
        index.append(places)
    if len(moved) > 1:
        index = [i.reshape(-1, *(1,) * (len(index) - n - 1)) for n, i in enumerate(index)]
    moved.sort()
    front = moved[0] if moved == list(range(moved[0], moved[0] + len(moved))) else 0
    order = [i for i in range(len(shape)) if i not in moved]
    order = [*order[:front], *moved, *order[front:]]
    if order != list(range(len(order))):
        updates = low.emit(word("permute")(*order), updates, shape=tuple(shape[i] for i in order))
    given = [low.as_value(i, x).but(own=()) for i in index]
    options = {} if mode == "set" else {"mode": mode}
    return low.emit(word("index_update")(axes=tuple(moved), **options), x, updates, *given)


@rule("jax.dynamic_slice")
def _dynamic_slice(low, eqn, x, *starts):
    sizes = tuple(map(int, eqn.params["slice_sizes"]))
    like = next(v for v in (x, *starts) if isinstance(v, Value))
    y = filled(low, x, like)
    for axis, (size, start) in enumerate(zip(sizes, starts)):
        if size == y.shape[axis]:
            continue
        shape = tuple(size if a == axis else n for a, n in enumerate(y.shape))
        first = low.plain_number(start)
        if first is not None:
            first = min(max(int(first), 0), y.shape[axis] - size)
            index = ", ".join([*[":"] * axis, f"{first}:{first + size}"])
            y = low.emit(word("at")(index), y, shape=shape)
        else:
            layer = word("ops.dynamic_slice_in_dim")(slice_size=size, axis=axis)
            y = low.emit(layer, y, low.as_value(start, y), shape=shape)
    return y


@rule("jax.dynamic_update_slice")
def _dynamic_update(low, eqn, x, updates, *starts):
    like = next(v for v in (x, updates, *starts) if isinstance(v, Value))
    x, updates = (filled(low, v, like) for v in (x, updates))
    moved = {a: s for a, s in enumerate(starts) if x.shape[a] != updates.shape[a]}
    known = {a: low.plain_number(s) for a, s in moved.items()}
    if None not in known.values():
        inside = {a: min(max(int(n), 0), x.shape[a] - updates.shape[a]) for a, n in known.items()}
        return _window(low, x, inside, updates, "set") if inside else updates
    if len(moved) != 1:
        raise PortError("a window whose place is a value along one axis")
    ((axis, start),) = moved.items()
    return low.emit(word("ops.dynamic_update_slice_in_dim")(axis=axis), x, updates, low.as_value(start, like))
