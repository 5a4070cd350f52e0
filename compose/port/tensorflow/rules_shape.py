"""Shape operations: they move numbers and compute none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules
from compose.port.tensorflow.values import Value, Weight


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
    x = low.whole(x)
    return x if axes == tuple(range(x.ndim)) else low.emit(word("permute")(*axes), x)


@rules("tf.ConcatV2")
def _concat(low, op, *parts):
    *values, axis = parts
    axis = int(axis) % len(low.shape)
    layer = word("concat") if axis == len(low.shape) - 1 else word("concat")(axis=axis)
    return low.emit(layer, *map(low.whole, values))


@rule("tf.Pack")
def _pack(low, op, *values):
    return low.emit(word("stack_inputs")(axis=op.get_attr("axis")), *map(low.whole, values))


@rule("tf.Unpack")
def _unpack(low, op, x):
    axis = op.get_attr("axis") % x.ndim
    return _parts(low, op, low.emit(word("unbind")(axis=axis), low.whole(x), shape=x.shape))


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


@rule("tf.StridedSlice")
def _strided_slice(low, op, x, begin, end, strides):
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    x = low.whole(x)
    parts: list[str] = []
    for i, (start, stop, step) in enumerate(zip(begin, end, strides)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            parts.append("...")
        elif masks["new_axis"] & bit:
            parts.append("None")
        elif masks["shrink_axis"] & bit:
            parts.append(str(int(start)))
        else:
            first = "" if masks["begin"] & bit else str(int(start))
            final = "" if masks["end"] & bit else str(int(stop))
            parts.append(f"{first}:{final}" + (f":{int(step)}" if step != 1 else ""))
    while parts and parts[-1] in (":", "..."):
        parts.pop()
    if not parts:
        return x
    if parts[0] not in (":", "...", "0:"):
        raise PortError(f"all of the batch, got [{', '.join(parts)}]")
    return low.emit(word("at")(", ".join(parts)), x)


def indexed(low: Any, x: Value, at: dict[int, int]) -> Value:
    """One place along an axis, which goes."""
    parts = [str(at[a]) if a in at else ":" for a in range(max(at) + 1)]
    return low.emit(word("at")(", ".join(parts)), x)


@rule("tf.Slice")
def _slice(low, op, x, begin, size):
    x = low.whole(x)
    ends = [(int(b), int(b) + n) for b, n in zip(begin, low.shape)]
    parts = [f"{a or ''}:{b if b < n else ''}" for (a, b), n in zip(ends, x.shape)]
    while parts and parts[-1] == ":":
        parts.pop()
    return low.emit(word("at")(", ".join(parts)), x) if parts else x


@rule("tf.ReverseV2")
def _reverse(low, op, x, axes):
    dims = [int(a) for a in np.ravel(axes)]
    return low.emit(word("flip")(axis=tuple(dims) if len(dims) > 1 else dims[0]), low.whole(x))


@rule("tf.BroadcastTo")
def _broadcast(low, op, x, shape):
    x = low.whole(x)
    return x if x.shape == low.shape else low.emit(word("broadcast_to")(*low.shape[1:]), x)


@rules("tf.SpaceToDepth", "tf.DepthToSpace")
def _depth(low, op, x):
    name = "space_to_depth" if op.type == "SpaceToDepth" else "depth_to_space"
    return low.emit(word(name)(int(op.get_attr("block_size"))), low.whole(x))
