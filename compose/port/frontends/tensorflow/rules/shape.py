"""Shape operations: they move numbers and compute none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.operands import as_value
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.ir.weights import Constant


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
    if isinstance(x, Weight):
        return _sliced(low, op, x, begin, end, strides)
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
    if parts[0] not in (":", "...", "0:") and x.shape[0] == low.exact.batch:
        raise PortError(f"all of the batch, got [{', '.join(parts)}]")
    return low.emit(word("at")(", ".join(parts)), x)


def _sliced(low: Any, op: Any, x: Weight, begin: Any, end: Any, strides: Any) -> Weight:
    """Some rows and columns of a variable."""
    index, shrink = np.indices(x.shape), []
    parts: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(begin, end, strides)):
        bit = 1 << i
        plain = not any(op.get_attr(f"{name}_mask") & bit for name in ("ellipsis", "new_axis")) and step == 1
        if not plain or isinstance(x.take, Constant):
            raise PortError("rows and columns of a variable that lie together")
        one = bool(op.get_attr("shrink_axis_mask") & bit)
        shrink += [i] if one else []
        first = None if op.get_attr("begin_mask") & bit and not one else int(start)
        last = None if op.get_attr("end_mask") & bit and not one else int(stop)
        parts.append(slice(first, (first or 0) + 1 or None) if one else slice(first, last))
    kept = [axis[tuple(parts)] for axis in index]
    ends = [(int(k.min()), int(k.max()) + 1) for k in kept]
    inner = any(ends[a] != (0, x.shape[a]) for a in range(1, len(ends) - 1))
    if inner or x.take != type(x.take)(x.take.source):
        raise PortError("rows and columns of a variable as it is stored")
    rows = ends[0] if ends[0] != (0, x.shape[0]) else None
    columns = ends[-1] if len(ends) > 1 and ends[-1] != (0, x.shape[-1]) else None
    shape = tuple(n for a, n in enumerate(kept[0].shape) if a not in shrink)
    return replace(x, take=replace(x.take, rows=rows, columns=columns, shape=shape if shrink else None), shape=shape)


def indexed(low: Any, x: Value, at: dict[int, int], keeps: bool = False) -> Value:
    """One place along an axis, which goes unless it is kept."""
    said = {a: f"{i}:{i + 1}" if keeps else str(i) for a, i in at.items()}
    parts = [said.get(a, ":") for a in range(max(at) + 1)]
    shape = [1 if a in at else n for a, n in enumerate(x.shape) if keeps or a not in at]
    return low.emit(word("at")(", ".join(parts)), x, shape=shape)


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
    x, order = low.permutation(low.whole(x)) or (low.whole(x), None)
    dims = [int(a) % x.ndim if order is None else order[int(a)] for a in np.ravel(axes)]
    made = low.emit(word("flip")(axis=tuple(dims) if len(dims) > 1 else dims[0]), x, shape=x.shape)
    return made if order is None else low.permuted(made, order)


@rule("tf.BroadcastTo")
def _broadcast(low, op, x, shape):
    x = low.whole(x)
    return x if x.shape == low.shape else low.emit(word("broadcast_to")(*low.shape[1:]), x)


@rules("tf.SpaceToDepth", "tf.DepthToSpace")
def _depth(low, op, x):
    name = "space_to_depth" if op.type == "SpaceToDepth" else "depth_to_space"
    return low.emit(word(name)(int(op.get_attr("block_size"))), low.whole(x))


@rule("tf.Tile")
def _tile(low, op, x, times):
    x, times = low.whole(x), tuple(int(n) for n in times)
    if times[0] != 1:
        raise PortError(f"the batch once, got tf.tile(x, {list(times)})")
    kept = next((i for i, n in enumerate(times) if n != 1), None)
    return x if kept is None else low.emit(word("tile")(times=times[kept:]), x)


@rule("tf.Roll")
def _roll(low, op, x, shift, axis):
    moves, axes = (tuple(int(n) for n in np.ravel(v)) for v in (shift, axis))
    one = len(moves) == 1
    return low.emit(word("roll")(shift=moves[0] if one else moves, axis=axes[0] if one else axes), low.whole(x))


@rule("tf.MatrixBandPart")
def _band(low, op, x, below, above):
    x = low.whole(x)
    rows, columns = np.indices(x.shape[-2:])
    inside = ((rows - columns <= below) | (below < 0)) & ((columns - rows <= above) | (above < 0))
    mask = Weight.constant(inside.astype(np.float64))
    return low.emit(word("learned_scale")(shape=mask.shape), x, weights={"scale": mask})


@rules("tf.MatrixDiagPartV3", "tf.MatrixDiagPart")
def _diagonal(low, op, x, k=0, *_):
    if np.any(k):
        raise PortError("the diagonal itself, got one beside it")
    return low.emit(word("contract")(equation="...ii->...i"), low.whole(x))
