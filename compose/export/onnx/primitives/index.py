"""Looking up and putting back elements by their indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from compose.export.errors import ExportError
from compose.export.onnx.dims import static
from compose.export.onnx.primitives.elementwise import out
from compose.export.onnx.registry import primitive


@primitive("gather")
def gather(writer, equation, x, indices):
    p = equation.params
    d, sizes = p["dimension_numbers"], p["slice_sizes"]
    indexed, collapsed = d.start_index_map, d.collapsed_slice_dims
    batching, index_batching = d.operand_batching_dims, d.start_indices_batching_dims
    places = indices.shape[:-1]
    if math.prod(places) == 1 and not batching and static(places):
        return _one_slice(writer, equation, x, indices)
    if tuple(sorted(indexed)) != tuple(sorted(collapsed)):
        return _windows(writer, equation, x, indices)
    whole = all(sizes[i] == x.shape[i] for i in range(len(x.shape)) if i not in (*collapsed, *batching))
    if not whole:
        raise ExportError("whole rows or single elements by index", f"parts of size {sizes}")
    indices = _inside(writer, indices, [x.shape[i] for i in indexed], p["mode"])
    if not batching:
        return _rows(writer, equation, x, indices, d)
    return _batched(writer, equation, x, indices, d, index_batching)


def _rows(writer, equation, x, indices, d):
    """Rows along one axis, or elements at several: the axes of the indices come where JAX wants them."""
    indexed, places = d.start_index_map, indices.shape[:-1]
    kept = [i for i in range(len(x.shape)) if i not in d.collapsed_slice_dims]
    if len(indexed) == 1:
        axis = indexed[0]
        single = writer.reshape(indices, places)
        shape = (*x.shape[:axis], *places, *x.shape[axis + 1 :])
        y = writer.node("Gather", x, single, axis=axis, like=x, shape=shape)
        now = [*(("x", i) for i in range(axis)), *(("i", k) for k in range(len(places))),
               *(("x", i) for i in range(axis + 1, len(x.shape)))]  # fmt: skip
    else:
        moved = writer.transpose(x, (*indexed, *kept))
        wide = writer.cast(indices, np.int64)
        shape = (*places, *(x.shape[i] for i in kept))
        y = writer.node("GatherND", moved, wide, like=x, shape=shape)
        now = [*(("i", k) for k in range(len(places))), *(("x", i) for i in kept)]
    return _in_jax_order(writer, y, now, d, kept)


def _in_jax_order(writer, y, now, d, kept):
    """The axes where JAX wants them: `now` names each as one of the indices, `("i", k)`, or of the array, `("x", i)`.

    `kept` are the array's axes that become the offset dimensions, in their order.
    """
    at = [i for i in range(len(now)) if i not in d.offset_dims]
    wanted: list[Any] = [None] * len(now)
    for k, i in enumerate(at):
        wanted[i] = ("i", k)
    for k, i in enumerate(d.offset_dims):
        wanted[i] = ("x", kept[k])
    return writer.transpose(y, tuple(now.index(w) for w in wanted))


def _batched(writer, equation, x, indices, d, index_batching):
    """Elements along one axis, for each place of the axes that both have in common."""
    batching, indexed = d.operand_batching_dims, d.start_index_map
    if len(indexed) != 1:
        raise ExportError("elements along one axis by index", f"elements along axes {indexed}")
    axis = indexed[0]
    kept = [i for i in range(len(x.shape)) if i not in (axis, *batching)]
    free = [i for i in range(len(indices.shape) - 1) if i not in index_batching]
    width = math.prod(indices.shape[i] for i in free)
    moved = writer.transpose(x, (*batching, axis, *kept))
    lined = writer.transpose(indices, (*index_batching, *free, len(indices.shape) - 1))
    shared = [x.shape[i] for i in batching]
    lined = writer.reshape(lined, [*shared, width, *[1] * len(kept)])
    rows = [x.shape[i] for i in kept]
    lined = writer.expand(lined, [*shared, width, *rows])
    y = writer.node("GatherElements", moved, lined, axis=len(shared), like=x, shape=[*shared, width, *rows])
    y = writer.reshape(y, [*shared, *(indices.shape[i] for i in free), *rows])
    now = [*(("i", i) for i in index_batching), *(("i", i) for i in free), *(("x", i) for i in kept)]
    return _in_jax_order(writer, y, now, d, kept)


def _one_slice(writer, equation, x, indices):
    """One window, whose start is computed or known."""
    d, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    indexed = d.start_index_map
    starts = writer.reshape(indices, (len(indexed),))
    y = _window(writer, x, starts, [sizes[i] for i in indexed], indexed)
    return writer.reshape(y, equation.outvars[0].aval.shape)


def _window(writer, x, starts, sizes, axes):
    most = [x.shape[i] - n for i, n in zip(axes, sizes)]
    shape = list(x.shape)
    for i, n in zip(axes, sizes):
        shape[i] = n
    if isinstance(starts, np.ndarray):
        first = [min(max(int(a), 0), m) if isinstance(m, int) else int(a) for a, m in zip(starts, most)]
        return writer.slice(x, first, [a + n for a, n in zip(first, sizes)], axes=list(axes))
    if not static(most):
        raise ExportError("a slice along other axes than the batch", f"one along axes {axes}")
    limits = np.array(most, np.int64)
    starts = writer.cast(starts, np.int64)
    first = writer.node("Min", writer.node("Max", starts, np.zeros(1, np.int64), like=starts), limits, like=starts)
    last = writer.node("Add", first, np.array(sizes, np.int64), like=starts)
    return writer.node("Slice", x, first, last, np.array(axes, np.int64), like=x, shape=shape)


def _windows(writer, equation, x, indices):
    """Several windows along one axis: every element of each."""
    d, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    (axis,) = d.start_index_map if len(d.start_index_map) == 1 else (None,)
    others = all(sizes[i] == x.shape[i] for i in range(len(x.shape)) if i != axis)
    if axis is None or not others or d.collapsed_slice_dims or d.operand_batching_dims:
        raise ExportError("rows or elements by index", f"windows of size {sizes}")
    n, places = sizes[axis], indices.shape[:-1]
    single = writer.cast(writer.reshape(indices, places), np.int64)
    single = _bounded(writer, single, x.shape[axis] - n)
    wide = writer.reshape(single, (*places, 1))
    within = writer.node("Add", wide, np.arange(n), shape=(*places, n), dtype=np.int64, like=wide)
    shape = (*x.shape[:axis], *places, n, *x.shape[axis + 1 :])
    y = writer.node("Gather", x, within, axis=axis, like=x, shape=shape)
    now = [*(("x", i) for i in range(axis)), *(("i", k) for k in range(len(places))),
           *(("x", i) for i in range(axis, len(x.shape)))]  # fmt: skip
    return _in_jax_order(writer, y, now, d, range(len(x.shape)))


def _bounded(writer, indices, most):
    if isinstance(indices, np.ndarray):
        return np.clip(indices, 0, most)
    zero = np.zeros((), indices.dtype)
    return writer.node("Min", writer.node("Max", indices, zero), np.asarray(most, indices.dtype))


def _inside(writer, indices, lengths, mode):
    """Indices in their range where JAX moves them there; elsewhere one outside is an error when the model runs."""
    if mode != GatherScatterMode.CLIP or not static(lengths):
        return indices
    if isinstance(indices, np.ndarray):
        return np.clip(indices, 0, np.array(lengths, indices.dtype) - 1)
    zero, most = np.zeros((), indices.dtype), np.array(lengths, indices.dtype) - 1
    return writer.node("Min", writer.node("Max", indices, zero), most.astype(indices.dtype))


@primitive("dynamic_slice")
def dynamic_slice(writer, equation, x, *starts):
    sizes = equation.params["slice_sizes"]
    axes = [i for i, n in enumerate(sizes) if n != x.shape[i]]
    if not axes:
        return x
    if all(isinstance(starts[i], np.ndarray) for i in axes):
        joined: Any = np.array([int(starts[i]) for i in axes], np.int64)
    else:
        parts = [writer.reshape(writer.cast(starts[i], np.int64), (1,)) for i in axes]
        joined = writer.node("Concat", *parts, axis=0, shape=(len(parts),), dtype=np.int64)
    return _window(writer, x, joined, [sizes[i] for i in axes], axes)


SCATTERS = {"scatter": "none", "scatter-add": "add", "scatter_add": "add", "scatter-mul": "mul", "scatter_mul": "mul",
            "scatter_max": "max", "scatter-max": "max", "scatter_min": "min", "scatter-min": "min"}  # fmt: skip


@primitive(*SCATTERS)
def scatter(writer, equation, x, indices, updates):
    p = equation.params
    d = p["dimension_numbers"]
    indexed, inserted = d.scatter_dims_to_operand_dims, d.inserted_window_dims
    batching, index_batching = d.operand_batching_dims, d.scatter_indices_batching_dims
    if isinstance(indices, np.ndarray) and math.prod(indices.shape[:-1]) == 1 and not batching and not inserted:
        return _changed(writer, equation, x, indices.reshape(-1), updates)
    if tuple(sorted((*indexed,))) != tuple(sorted(inserted)):
        raise ExportError("whole rows or single elements put in by index", f"windows along axes {indexed}")
    lead = (*batching, *indexed)
    kept = [i for i in range(len(x.shape)) if i not in lead]
    places = indices.shape[:-1]
    wide = writer.cast(indices, np.int64)
    columns = [_position(writer, places, axis) for axis in index_batching]
    if columns:
        wide = writer.node("Concat", *columns, wide, axis=len(places), like=wide, shape=(*places, len(lead)))
    rank = len(updates.shape)
    at = [i for i in range(rank) if i not in d.update_window_dims]
    updates = writer.transpose(updates, (*at, *d.update_window_dims))
    moved = writer.transpose(x, (*lead, *kept))
    y = writer.node("ScatterND", moved, wide, updates, like=x, shape=moved.shape,
                    reduction=SCATTERS[equation.primitive.name])  # fmt: skip
    order = [*lead, *kept]
    return writer.transpose(y, tuple(order.index(i) for i in range(len(order))))


def _position(writer, places, axis: int):
    """The position along one axis of the indices, for each of them."""
    n = places[axis]
    if static([n]):
        line: Any = np.arange(n)
    else:
        stop = writer.reshape(writer.sizes((n,)), ())
        line = writer.node("Range", np.int64(0), stop, np.int64(1), shape=(n,), dtype=np.int64)
    shape = [1] * (len(places) + 1)
    shape[axis] = n
    return writer.expand(writer.reshape(line, shape), (*places, 1))


@primitive("dynamic_update_slice")
def dynamic_update_slice(writer, equation, x, update, *starts):
    axes = [i for i, n in enumerate(update.shape) if n != x.shape[i]]
    if len(axes) > 1 or not all(isinstance(starts[i], np.ndarray) for i in axes):
        raise ExportError("a part that is put in at a known place", "one at a computed place")
    if not axes:
        return update
    (axis,) = axes
    first = int(np.clip(starts[axis], 0, x.shape[axis] - update.shape[axis]))
    stop = first + update.shape[axis]
    parts = [writer.slice(x, [0], [first], axes=[axis]), update, writer.slice(x, [stop], [x.shape[axis]], axes=[axis])]
    parts = [part for part in parts if part is not None and part.shape[axis] != 0]
    return writer.node("Concat", *parts, axis=axis, **out(equation))


COMBINED = {"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}


def _changed(writer, equation, x, starts, updates):
    """One window at a known place, combined with what is there."""
    d = equation.params["dimension_numbers"]
    reduction = SCATTERS[equation.primitive.name]
    updates = writer.reshape(updates, [updates.shape[i] for i in d.update_window_dims])
    moved = [(i, int(a)) for i, a in zip(d.scatter_dims_to_operand_dims, starts) if updates.shape[i] != x.shape[i]]
    if len(moved) > 1:
        raise ExportError("a window along one axis", f"one along axes {[i for i, _ in moved]}")
    axis, first = moved[0] if moved else (0, 0)
    stop = first + updates.shape[axis]
    if moved:
        whole = x.shape[axis]
        before, there, after = (
            writer.slice(x, [a], [b], axes=[axis]) for a, b in ((0, first), (first, stop), (stop, whole))
        )
    else:
        before, there, after = None, x, None
    new = updates if reduction == "none" else writer.node(COMBINED[reduction], there, updates, like=there)
    if not moved:
        return new
    parts = [part for part in (before, new, after) if part is not None and part.shape[axis] != 0]
    return writer.node("Concat", *parts, axis=axis, **out(equation))
