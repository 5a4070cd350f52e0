"""Slices, gathers, selections by index, one-hot vectors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.ir.weights import Constant


@rule("tf.OneHot")
def _one_hot(low, op, ids, size, on, off):
    last = op.get_attr("axis") in (-1, len(low.shape) - 1)
    if not last or float(on) != 1 or float(off) != 0:
        raise PortError("ones and zeros along the last axis")
    return low.emit(word("one_hot")(size=int(size)), low.whole(ids))


@rules("tf.GatherV2", "tf.Gather")
def _gather(low, op, table, ids, axis=0):
    first = op.get_attr("batch_dims") if op.type == "GatherV2" else 0
    if isinstance(table, Weight) and isinstance(ids, Value) and int(axis) == 0 and len(table.shape) == 2:
        return low.emit(word("embedding")(*table.shape), low.whole(ids), weights={"embedding": table})
    if not isinstance(table, Value) or isinstance(ids, Weight):
        raise PortError("rows of a variable with two axes by whole numbers that are data, or places of a value")
    table, place = low.whole(table), int(axis) % table.ndim
    if isinstance(ids, np.ndarray) and not first:
        return _fixed(low, table, ids, place)
    if isinstance(ids, Value) and not first and not low.has_batch(table):
        return low.emit(word("ops.take")(axis=place), table, low.whole(ids))
    if isinstance(ids, Value) and first == place == ids.ndim - 1:
        ids, rest = low.whole(ids), table.ndim - ids.ndim
        wide = (*ids.shape, *(1,) * rest)
        ids = low.emit(word("reshape")(*wide[1:]), ids, shape=wide) if rest else ids
        layer = word("ops.take_along_axis") if place == table.ndim - 1 else word("ops.take_along_axis")(axis=place)
        return low.emit(layer, table, ids)
    raise PortError("places of each example along one axis, as in tf.gather(x, ids, axis=1, batch_dims=1)")


def _fixed(low: Any, x: Value, ids: np.ndarray, axis: int) -> Value:
    """Gather at constant indices: one, an arithmetic progression, or any."""
    if ids.ndim == 0:
        return indexed(low, x, {axis: int(ids)})
    if ids.ndim > 1:
        raise PortError("the places of one axis as a list")
    made = ids % x.shape[axis]
    steps = set(np.diff(made).tolist())
    if len(steps) == 1 and min(steps) > 0:
        text = f"{made[0]}:{made[-1] + 1}" + (f":{min(steps)}" if steps != {1} else "")
        return low.emit(word("at")(", ".join([":"] * axis + [text])), x)
    parts = [indexed(low, x, {axis: int(i)}, keeps=True) for i in made]
    return low.emit(word("concat") if axis == x.ndim - 1 else word("concat")(axis=axis), *parts)


@rule("tf.GatherNd")
def _gather_nd(low, op, x, places):
    raise PortError("places along one axis: tf.gather(x, ids, axis=..., batch_dims=1) for tf.gather_nd")


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
    """A slice of rows and columns of a variable."""
    if math.prod(low.shape) == math.prod(x.shape) and min(strides) > 0:  # all of it, maybe with new axes
        return x.reshaped(low.shape)
    index, shrink = np.indices(x.shape), []
    parts: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(begin, end, strides)):
        bit = 1 << i
        plain = not any(op.get_attr(f"{name}_mask") & bit for name in ("ellipsis", "new_axis")) and step == 1
        if not plain or isinstance(x.view, Constant):
            raise PortError("rows and columns of a variable that lie together")
        one = bool(op.get_attr("shrink_axis_mask") & bit)
        shrink += [i] if one else []
        first = None if op.get_attr("begin_mask") & bit and not one else int(start)
        last = None if op.get_attr("end_mask") & bit and not one else int(stop)
        parts.append(slice(first, (first or 0) + 1 or None) if one else slice(first, last))
    kept = [axis[tuple(parts)] for axis in index]
    ends = [(int(k.min()), int(k.max()) + 1) for k in kept]
    inner = any(ends[a] != (0, x.shape[a]) for a in range(1, len(ends) - 1))
    if inner or x.view != type(x.view)(x.view.source):
        raise PortError("rows and columns of a variable as it is stored")
    rows = ends[0] if ends[0] != (0, x.shape[0]) else None
    columns = ends[-1] if len(ends) > 1 and ends[-1] != (0, x.shape[-1]) else None
    shape = tuple(n for a, n in enumerate(kept[0].shape) if a not in shrink)
    return replace(x, view=replace(x.view, rows=rows, columns=columns, shape=shape if shrink else None), shape=shape)


def indexed(low: Any, x: Value, at: dict[int, int], keeps: bool = False) -> Value:
    """One index along an axis, which is dropped unless kept."""
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


@rules("tf.MatrixDiagPartV3", "tf.MatrixDiagPart")
def _diagonal(low, op, x, k=0, *_):
    if np.any(k):
        raise PortError("the diagonal itself, got one beside it")
    return low.emit(word("contract")(equation="...ii->...i"), low.whole(x))
