"""Reshaping, permuting, joining, splitting, padding."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled, own_of
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.rules.index import index_layer
from compose.port.frontends.jax.rules.reduce import REDUCED, keeps, reduced
from compose.port.frontends.jax.values import Value, Weight


@rule("jax.fixed_length")
def _fixed_length(low, eqn, x):
    """The sequence of a loop that is written out."""
    if x.shape[0] % low.batch == 0:
        return x
    return low.emit(word("ensure_shape")(x.shape[0], *[None] * (x.ndim - 1)), x)


@rule("jax.transpose")
def _transpose(low, eqn, x):
    return _permuted(low, x, tuple(eqn.params["permutation"]))


def _permuted(low: Any, x: Any, axes: tuple[int, ...]) -> Value | Weight:
    if isinstance(x, Weight):
        return found_weight(x.transposed(axes), x)
    before = low.producer(x)
    if before is not None and before.layer.kind == "permute" and not low.is_shared(x):
        both = tuple(before.layer.axes[a] for a in axes)
        given = low.by_index(before.inputs[0])
        if both == tuple(range(len(both))) and given is not None:
            low.ops.remove(before)
            return given
    return low.emit(word("permute")(*axes), x, shape=tuple(x.shape[a] for a in axes))


@rule("jax.reshape")
def _reshape(low, eqn, x):
    if eqn.params["dimensions"] is not None:
        x = _permuted(low, low.whole(x), tuple(eqn.params["dimensions"]))
    return _in_shape(low, x, tuple(eqn.params["new_sizes"]))


def _in_shape(low: Any, x: Any, shape: tuple[int, ...]) -> Value | Weight:
    """A value or a weight in another shape; what it repeats for each example stays undone if axes of 1 change."""
    own = own_of(x.own, x.shape, shape) if x.own else None
    if isinstance(x, Weight):
        undone = None if own is None or x.own == x.shape else x.taken(replace(x.view, shape=own), shape, own)
        return undone or found_weight(x.reshaped(shape), x)
    if own is None:
        return reshaped(low, low.whole(x), shape)
    part = x.but(shape=x.own, own=())
    return (part if own == x.own else reshaped(low, part, own)).but(shape=shape, own=own)


def reshaped(low: Any, x: Value, shape: tuple[int, ...]) -> Value:
    """A value in another shape."""
    layer = reshaping(low, x.shape, shape)
    # Merged with the batch, a length may be split from it again.
    merges = layer.kind == "flatten" and dict(layer.options).get("start") == 0
    if merges or (layer.kind == "reshape" and not layer.batch and -1 in layer.shape):
        fixed = tuple(None if n % low.batch == 0 else n for n in x.shape)  # else another length would join the batch
        x = low.emit(word("ensure_shape")(*fixed), x, shape=x.shape)
    return low.emit(layer, x, shape=shape)


def reshaping(low: Any, given: tuple[int, ...], made: tuple[int, ...]) -> Any:
    """The layer for a new shape; it splits or merges axes where possible, so that the others may have any length."""
    if given == made:
        return word("identity")
    without = lambda shape: [n for n in shape if n != 1]
    if without(given) == without(made):
        return _ones(given, made)
    front = next(i for i, (a, b) in enumerate(zip((*given, 0), (*made, 0))) if a != b)
    back = next(i for i, (a, b) in enumerate(zip((*given[:front:-1], 0), (*made[:front:-1], 0))) if a != b)
    old, new = given[front : len(given) - back], made[front : len(made) - back]
    if len(new) == 1 and low.batch not in old:
        whole = front == 1 and back == 0
        end = front + len(old) - 1 - (len(given) if back == 0 else 0)
        return word("flatten") if whole else word("flatten")(**({"start": front} if front != 1 else {}), end=end)
    if len(old) == 1 and low.batch not in new and old[0] != low.batch:
        return word("unflatten")(axis=front - len(given) if back == 0 else front, shape=new)
    if given[:1] == made[:1]:
        return word("reshape")(*made[1:])
    if front == 0 and len(new) == 1:
        return word("flatten")(start=0, end=len(old) - 1)
    if front == 0 and len(old) == 1 and sum(n % low.batch == 0 for n in new) == 1:
        return word("unflatten")(axis=0, shape=tuple(-1 if n % low.batch == 0 else n for n in new))
    if not any(n % low.batch == 0 for n in (*given, *made)) or 0 in made:
        return word("reshape")(*made, batch=False)
    if sum(n % low.batch == 0 for n in made) != 1:
        raise PortError(f"a new shape with the batch in one of its sizes, got {given} to {made}")
    return word("reshape")(*(-1 if n % low.batch == 0 else n for n in made), batch=False)


def _ones(given: tuple[int, ...], made: tuple[int, ...]) -> Any:
    """Axes of length 1 that are added or removed."""
    longer, shorter = max(given, made, key=len), min(given, made, key=len)
    axes, rest = [], list(shorter)
    for i, n in enumerate(longer):
        if rest and rest[0] == n and (n != 1 or len(longer) - i == len(rest)):
            rest.pop(0)
        else:
            axes.append(i)
    if len(longer) == len(shorter):  # axes of length 1 elsewhere among the others
        ones, others = ([i for i, n in enumerate(given) if (n == 1) == one] for one in (True, False))
        return word("permute")(*((ones if n == 1 else others).pop(0) for n in made))
    if rest:
        return word("reshape")(*made, batch=False)
    axis = axes[0] if len(axes) == 1 else tuple(axes)
    return word("ops.expand_dims" if longer is made else "ops.squeeze")(axis=axis)


@rule("jax.broadcast_in_dim")
def _broadcast(low, eqn, x):
    shape, axes = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    if isinstance(x, Weight):
        return found_weight(x.broadcast(shape, axes), x)
    if x.ndim == 0 and shape:
        ones = (1,) * len(shape)
        y = low.emit(word("reshape")(*ones, batch=False), x, shape=ones)
        return y.but(shape=shape, own=ones if shape != ones else ())
    before = low.maker(0)
    if before is not None and before.name in REDUCED and isinstance(low.seen(before.inputs[0]), Value):
        whole, over = low.value(before.inputs[0]), before.params["axes"]
        if keeps(whole.shape, over, shape):
            return low.emit(reduced(REDUCED[before.name], over, whole, keepdims=True), whole)
    apart = tuple(x.shape[axes.index(i)] if i in axes else 1 for i in range(len(shape)))
    added = tuple(i for i in range(len(shape)) if i not in axes)
    axis: Any = added[0] if len(added) == 1 else added
    y = low.emit(word("ops.expand_dims")(axis=axis), x, shape=apart) if added else x
    if apart == shape:
        return y
    if any(n != m and m % low.batch == 0 for n, m in zip(apart, shape)):
        return y.but(shape=shape, own=apart)
    if any(n and n % low.batch == 0 for n in shape[1:]):  # the batch is no longer first
        return low.emit(word("ops.tile")(reps=tuple(1 if n == m else m for n, m in zip(apart, shape))), y)
    if apart[0] != shape[0]:
        return low.op("broadcast_to", y, shape=shape)
    return low.emit(word("broadcast_to")(*shape[1:]), y)


@rule("jax.tile")
def _tile(low, eqn, x):
    reps, shape = tuple(map(int, eqn.params["reps"])), eqn.outputs[0].shape
    ones = len(reps) == len(x.shape) and all(r == 1 or n == 1 for r, n in zip(reps, x.shape))
    if isinstance(x, Weight):
        if not ones:
            raise PortError(f"axes of length 1 of a weight repeated, got {tuple(x.shape)} by {reps}")
        return found_weight(x.broadcast(shape, tuple(range(len(shape)))), x)
    if ones and any(n != m and m % low.batch == 0 for n, m in zip(x.shape, shape)):
        return x.but(shape=shape, own=x.shape)
    if ones and shape[0] == x.shape[0]:
        return low.emit(word("broadcast_to")(*shape[1:]), x)
    if reps[0] and reps[0] % low.batch == 0 and not any(n % low.batch == 0 for n in x.shape):
        return _rows_for_each(low, x, (reps[0] // low.batch, *reps[1:]))
    return low.emit(word("ops.tile")(reps=reps), x)


def _rows_for_each(low, x: Value, reps: tuple[int, ...]) -> Value:
    """A value of several rows, repeated so many times for each example."""
    wide = tuple(r * n for r, n in zip(reps, x.shape))
    x = x if wide == x.shape else low.emit(word("ops.tile")(reps=reps), x, shape=wide)
    x = low.emit(word("ops.expand_dims")(axis=0), x, shape=(1, *wide))
    each = low.whole(x.but(shape=(low.batch, *wide), own=x.shape))
    return low.emit(word("flatten")(start=0, end=1), each)


@rule("jax.expand_dims")
def _expand(low, eqn, x):
    return _in_shape(low, x, eqn.outputs[0].shape)


@rule("jax.squeeze")
def _squeeze(low, eqn, x):
    axes = eqn.params["dimensions"]
    if isinstance(x, Weight) or x.own:
        return _in_shape(low, x, eqn.outputs[0].shape)
    before = low.maker(0)
    if before is not None and before.name == "slice" and isinstance(low.seen(before.inputs[0]), Value):
        return low.emit(index_layer(before, axes), low.value(before.inputs[0]))
    return low.emit(word("ops.squeeze")(axis=axes[0] if len(axes) == 1 else tuple(axes)), x)


@rule("jax.split")
def _split(low, eqn, x):
    sizes, axis = tuple(int(n) for n in eqn.params["sizes"]), eqn.params["axis"]
    axis = -1 if axis == x.ndim - 1 else axis
    equal = len(set(sizes)) == 1
    made = low.emit(word("split")(parts=len(sizes) if equal else sizes, **({} if axis == -1 else {"axis": axis})), x)
    return [low.emit(word("at")(str(i)), made) for i in range(len(sizes))]


@rule("jax.concatenate")
def _concatenate(low, eqn, *xs):
    axis, rank = eqn.params["dimension"], len(eqn.outputs[0].shape)
    if len(xs) == 2 and isinstance(xs[0], Weight) and axis == 1 and rank == 3:
        token = xs[0]
        own = (1, *token.own[-2:])
        if math.prod(own) == math.prod(token.own):
            made = word("class_token")(own[1]) if own[1] > 1 else word("class_token")
            return low.emit(made, xs[1], weights={"token": token.taken(_shaped(token, own), own)})
    like = next(v for v in xs if isinstance(v, Value))
    given = [filled(low, v, like) for v in xs]
    return low.emit(word("concat") if axis == rank - 1 else word("concat")(axis=axis), *given)


def _shaped(weight: Weight, shape: tuple[int, ...]) -> Any:
    return weight.view if weight.view.shape is None and weight.own == shape else replace(weight.view, shape=shape)


@rule("jax.stack")
def _stack(low, eqn, *xs):
    axis, like = eqn.params["axis"], next(v for v in xs if isinstance(v, Value))
    given = [filled(low, v, like) for v in xs]
    return low.emit(word("stack_inputs") if axis == 1 else word("stack_inputs")(axis=axis), *given)


@rule("jax.rev")
def _reverse(low, eqn, x):
    axes = eqn.params["dimensions"]
    return low.emit(word("ops.flip")(axis=axes[0] if len(axes) == 1 else tuple(axes)), x)


@rule("jax.pad")
def _pad(low, eqn, x, fill):
    config = eqn.params["padding_config"]
    if not isinstance(x, Value):
        x = filled(low, x)
    value = low.plain_number(np.real(fill) if isinstance(fill, np.ndarray) and not np.imag(fill).any() else fill)
    if value is None:
        raise PortError("a number around a value, got an array or a value")
    for axis, (*_, inside) in enumerate(config):
        x = _spread_out(low, x, axis, inside, value) if inside else x
    options = {"value": float(value)} if value else {}
    widths = tuple((int(a), int(b)) for a, b, _ in config)
    plain = not any(widths[0]) and not any(widths[-1]) and 3 <= x.ndim <= 5 and np.issubdtype(x.dtype, np.floating)
    if plain:
        return low.emit(word("pad")(widths[1:-1], **options), x)
    cut = tuple((min(a, 0), min(b, 0)) for a, b in widths)
    if any(map(any, cut)):
        index = ", ".join(f"{-a or ''}:{b or ''}" for a, b in cut)
        shape = tuple(n + a + b for n, (a, b) in zip(x.shape, cut))
        x = low.emit(word("at")(index), x, shape=shape)
    wide = tuple((max(a, 0), max(b, 0)) for a, b in widths)
    if not any(map(any, wide)):
        return x
    return _around(low, x, wide, value)


def _around(low, x: Value, widths: tuple[tuple[int, int], ...], value: float) -> Value:
    """Numbers around a value."""
    if not value:
        return low.emit(word("ops.pad")(pad_width=widths), x)
    if any(widths[0]) or x.ndim > 4 or not np.issubdtype(x.dtype, np.floating):
        raise PortError(
            f"numbers other than 0 around floats, along one to three axes that are not the batch, got {value}"
        )
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, widths))
    x = low.emit(word("ops.expand_dims")(axis=-1), x, shape=(*x.shape, 1))  # `pad` is for all axes but the last
    y = low.emit(word("pad")(widths[1:], value=float(value)), x, shape=(*shape, 1))
    return low.emit(word("ops.squeeze")(axis=-1), y, shape=shape)


def _spread_out(low, x: Value, axis: int, inside: int, value: float) -> Value:
    """The value with numbers between its elements along an axis."""
    n, after = x.shape[axis], x.shape[axis + 1 :]
    if not axis or n == 0:
        raise PortError("a number between the elements of an axis that is not the batch")
    at = lambda *sizes: (*x.shape[:axis], *sizes, *after)
    wide = low.emit(word("ops.expand_dims")(axis=axis + 1), x, shape=at(n, 1))
    widths = tuple((0, inside if i == axis + 1 else 0) for i in range(x.ndim + 1))
    wide = _around(low, wide, widths, value)
    size = n * (inside + 1)
    flat = low.emit(word("reshape")(*at(size)[1:]), wide, shape=at(size))
    cut = ", ".join([*":" * axis, f":{size - inside}"])
    return low.emit(word("at")(cut), flat, shape=at(size - inside)).but(dtype=x.dtype)


def found_weight(weight: Weight | None, before: Weight) -> Weight:
    if weight is None:
        raise PortError(f"the weight {before.view.source} reshaped or turned once before it is used")
    return weight
