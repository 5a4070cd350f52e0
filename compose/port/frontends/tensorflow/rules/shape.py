"""Reshaping, permuting, joining, splitting, padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.operands import as_value
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.repeated import gains_batch, repeated_to
from compose.port.frontends.tensorflow.values import Value, Weight


@rules("tf.Reshape", "tf.ExpandDims", "tf.Squeeze")
def _reshape(low, op, x, *_):
    after = low.shape
    if isinstance(x, Weight):
        return x.reshaped(after)
    if after == x.shape or after == x.ours:
        return x.but(shape=after)
    joined = x.ndim > 2 and after == (math.prod(x.shape[:-1]), x.shape[-1]) and after[0] != x.shape[0]
    over_time = op.type == "ExpandDims" and x.ndim == 3 and after == (x.shape[0], 1, *x.shape[1:])
    if (joined or over_time) and x.ours == x.shape:
        return x.but(shape=after)  # waits for what comes next
    lead = x.ours[:-1]
    if x.ours != x.shape and after[: len(lead)] == lead and math.prod(after) == math.prod(x.ours):
        return low.emit(low.reshaping(x.ours, after), x)
    x = low.whole(x)
    return low.emit(low.reshaping(x.shape, after), x)


@rule("tf.Transpose")
def _transpose(low, op, x, order):
    axes = tuple(int(a) for a in order)
    if isinstance(x, Weight):
        return x.moved(axes)
    return low.permuted(x, axes)


@rules("tf.ConcatV2")
def _concat(low, op, *parts):
    *values, axis = parts
    axis = int(axis) % len(low.shape)
    turned = low.behind(*values) if all(isinstance(v, Value) for v in values) else None
    if turned is not None:
        parts, order = turned
        at, shape = order[axis], list(parts[0].shape)
        shape[at] = sum(v.shape[at] for v in parts)
        layer = word("concat") if at == len(order) - 1 else word("concat")(axis=at)
        return low.permuted(low.emit(layer, *parts, shape=shape), order)
    token = low.token_before(values) if axis == 1 and len(low.shape) == 3 else None
    if token is not None:
        count = token.shape[1]
        layer = word("class_token")(count) if count > 1 else word("class_token")
        return low.emit(layer, low.whole(values[1]), weights={"token": token})
    layer = word("concat") if axis == len(low.shape) - 1 else word("concat")(axis=axis)
    like = next(v for v in values if isinstance(v, Value))
    return low.emit(layer, *(as_value(low, v, like) for v in values))


@rule("tf.Pack")
def _pack(low, op, *values):
    like = next(v for v in values if isinstance(v, Value))
    return low.emit(word("stack_inputs")(axis=op.get_attr("axis")), *(as_value(low, v, like) for v in values))


@rule("tf.Unpack")
def _unpack(low, op, x):
    axis = op.get_attr("axis") % x.ndim
    return _parts(low, op, low.emit(word("ops.unstack")(axis=axis), low.whole(x), shape=x.shape))


@rule("tf.Split")
def _split(low, op, axis, x):
    made = word("split")(parts=len(op.outputs), **_axis(axis, x.ndim))
    return _parts(low, op, low.emit(made, low.whole(x), shape=x.shape))


@rule("tf.SplitV")
def _split_sizes(low, op, x, sizes, axis):
    lengths = tuple(low.shape_of(t)[int(axis) % x.ndim] for t in op.outputs)
    made = word("split")(parts=lengths, **_axis(axis, x.ndim))
    return _parts(low, op, low.emit(made, low.whole(x), shape=x.shape))


def _axis(axis: Any, rank: int) -> dict[str, int]:
    return {} if int(axis) % rank == rank - 1 else {"axis": int(axis) % rank}


def _parts(low: Any, op: Any, made: Value) -> list[Value]:
    return [low.emit(word("at")(str(i)), made, shape=low.shape_of(t)) for i, t in enumerate(op.outputs)]


@rule("tf.ReverseV2")
def _reverse(low, op, x, axes):
    x, order = low.permutation(low.whole(x)) or (low.whole(x), None)
    dims = [int(a) % x.ndim if order is None else order[int(a)] for a in np.ravel(axes)]
    made = low.emit(word("ops.flip")(axis=tuple(dims) if len(dims) > 1 else dims[0]), x, shape=x.shape)
    return made if order is None else low.permuted(made, order)


@rule("tf.BroadcastTo")
def _broadcast(low, op, x, shape):
    after = low.shape
    if gains_batch(low, x, after):
        return repeated_to(low, x, after, word("broadcast_to"))
    x = low.whole(x)
    return x if x.shape == after else low.emit(word("broadcast_to")(*after[1:]), x)


@rule("tf.Tile")
def _tile(low, op, x, times):
    times = tuple(int(n) for n in times)
    if gains_batch(low, x, low.shape):
        return repeated_to(low, x, low.shape, lambda *rest: word("ops.tile")(reps=times[-len(rest) :]))
    x = low.whole(x)
    if times[0] != 1:
        raise PortError(f"the batch once, got tf.tile(x, {list(times)})")
    kept = next((i for i, n in enumerate(times) if n != 1), None)
    return x if kept is None else low.emit(word("ops.tile")(reps=times[kept:]), x)


@rule("tf.Roll")
def _roll(low, op, x, shift, axis):
    moves, axes = (tuple(int(n) for n in np.ravel(v)) for v in (shift, axis))
    one = len(moves) == 1
    return low.emit(word("ops.roll")(shift=moves[0] if one else moves, axis=axes[0] if one else axes), low.whole(x))


@rules("tf.Pad", "tf.PadV2", "tf.MirrorPad")
def _pad(low, op, x, widths, value=None):
    x, order = low.permutation(low.whole(x)) or (low.whole(x), None)
    around = tuple((int(a), int(b)) for a, b in widths)
    if order is not None:
        around = tuple(around[order.index(a)] for a in range(x.ndim))
        shape = tuple(n + a + b for n, (a, b) in zip(x.shape, around))
        return low.permuted(_padded(low, op, x, around, value, shape), order)
    return _padded(low, op, x, around, value, low.shape)


def _padded(low: Any, op: Any, x: Value, around: tuple, value: Any, shape: tuple) -> Value:
    if any(around[0]):
        raise PortError(f"padding that leaves the batch, got {around}")
    mode = op.get_attr("mode").decode().lower() if op.type == "MirrorPad" else "constant"
    options: dict[str, Any] = {"mode": mode} if mode != "constant" else {"value": float(value)} if value else {}
    if not any(around[-1]) and x.ndim > 2:
        return low.emit(word("pad")(around[1:-1], **options), x, shape=shape)
    if not any(around[1]) and x.ndim > 2:
        return low.emit(word("pad")(around[2:], channels_first=True, **options), x, shape=shape)
    apart = low.emit(word("ops.expand_dims")(axis=-1), x, shape=(*x.shape, 1))
    made = low.emit(word("pad")(around[1:], **options), apart, shape=(*shape, 1))
    return low.emit(word("ops.squeeze")(axis=-1), made, shape=shape)
