"""Slices, gathers, selections by index, one-hot vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.batch import BatchError
from compose.port.frontends.onnx.registry import rule
from compose.port.frontends.onnx.weight_moves import of_weights
from compose.port.ir.weights import View
from compose.port.lowering.values import BATCH, Pending, Value, Weight, identity_axes


@rule("onnx.Gather")
@of_weights
def _gather(low, node, x, ids):
    axis = node.get("axis", 0)
    if isinstance(x, Weight) and isinstance(ids, Value):
        table = low.weight(x)
        if axis != 0 or len(table.shape) != 2:
            return gathered(low, x, ids, axis)
        ids = low.as_source(ids)
        axes = identity_axes(ids.ndim + 1)
        return low.emit(word("embedding")(*table.shape), ids, axes=axes, weights={"embedding": table})

    return gathered(low, x, ids, axis)


@rule("onnx.GatherElements")
def _gather_each(low, node, x, places):
    x, places = low.as_value(x), low.as_value(places)
    axis = node.get("axis", 0) % x.ndim
    for other, (n, m) in enumerate(zip(x.shape, places.shape)):
        if other != axis and n != m:  # the rest of the values is not read
            x = part_of(low, x, other, slice(0, m))
    x = low.whole(x)
    return low.emit(word("ops.take_along_axis")(axis=x.axis(axis)), x, low.moved(places, x.axes), axes=x.axes)


@rule("onnx.GatherND")
def _gather_nd(low, node, x, places):
    if node.get("batch_dims", 0):
        raise PortError(f"places of the whole value, got batch_dims={node.get('batch_dims')}")
    x, count = low.as_source(low.as_value(x)), places.shape[-1]
    lead, rest = x.shape[:count], x.shape[count:]
    steps = np.cumprod((1, *lead[:0:-1]))[::-1]
    flat = low.emit(
        word("reshape")(-1, *rest, batch=False), x, shape=(math.prod(lead), *rest), axes=identity_axes(1 + len(rest))
    )
    if isinstance(places, Value):
        places = low.as_source(places)
        wraps = low.joined("ops.mod", places, low.as_value(np.array(lead)), places.shape)
        by_step = low.joined("ops.multiply", wraps, low.as_value(steps), places.shape)
        shape = places.shape[:-1]
        at = low.emit(word("ops.sum")(axis=-1), by_step, shape=shape, axes=identity_axes(len(shape)))
        return low.emit(word("ops.take")(axis=0), flat, at, axes=identity_axes(len(low.shape)))
    return _taken(low, flat, (low.known(places) % np.array(lead) * steps).sum(-1), 0)


@rule("onnx.OneHot")
def _one_hot(low, node, places, depth, values):
    size, (off, on) = int(low.known(depth).item()), map(float, low.known(values))
    places, axis = low.as_source(low.value(places)), node.get("axis", -1) % len(low.shape)
    whole = low.emit(word("ops.astype")(dtype=word("int32")), places, shape=places.shape)
    inside = low.emit(word("ops.mod")(y=size), whole, shape=places.shape)  # a negative one counts from the end
    rank = len(low.shape)
    rest = tuple(a for a in range(rank) if a != axis)
    y = low.emit(word("one_hot")(size=size), inside, axes=(*rest, axis))
    y = y if on - off == 1 else low.emit(word("scale")(by=on - off), y)
    return y if off == 0 else low.emit(word("add_constant")(value=off), y)


@rule("onnx.Compress")
def _compress(low, node, x, kept):
    x, where = low.whole(low.value(x)), np.flatnonzero(low.known(kept))
    if node.get("axis") is None:
        raise PortError("parts of one axis, got a Compress of all elements")
    return _taken(low, x, where, node.get("axis") % x.ndim)


def gathered(low, x: Any, ids: Any, axis: int) -> Any:
    """Indices along an axis: one, a contiguous range, or any, constant or data."""
    if isinstance(ids, Value):
        x = low.as_source(low.as_value(x))
        return low.emit(word("ops.take")(axis=axis % x.ndim), x, low.as_source(ids), axes=identity_axes(len(low.shape)))
    places = low.known(ids)
    if isinstance(x, Pending):
        final: Any = x
        part = final.part(axis, int(places) % final.shape[axis]) if places.ndim == 0 else None
        if part is not None:
            return part
        x = final.value()
    axis = axis % len(x.shape)
    if places.ndim == 0:
        return part_of(low, x, axis, int(places) % x.shape[axis] if int(places) != -1 else -1)
    flat = [int(i) % x.shape[axis] for i in places.ravel()]
    if places.ndim == 1 and flat and flat == list(range(flat[0], flat[0] + len(flat))):
        return part_of(low, x, axis, slice(flat[0], flat[-1] + 1))
    return None if isinstance(x, Weight) else _taken(low, x, places, axis)


def _taken(low, x: Value, places: np.ndarray, axis: int) -> Value:
    """Any constant places of an axis."""
    if x.shape[axis] == low.batch and low.batch == BATCH:
        raise PortError("places of an axis after the batch")
    x = low.as_source(x)
    flat = [int(i) % x.shape[axis] for i in places.ravel()]
    shape = (*x.shape[:axis], len(flat), *x.shape[axis + 1 :])
    text = ", ".join([":"] * axis + [str(flat)])
    made = low.emit(word("at")(text), x, shape=shape, axes=identity_axes(len(shape)))
    after = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    if after == shape:
        return made
    layer = word("reshape")(*after[1:]) if axis else word("reshape")(*after, batch=False)
    return low.emit(layer, made, shape=after, axes=identity_axes(len(after)))


def part_of(low, x: Any, axis: int, where: int | slice, step: int = 1) -> Any:
    """`x` at an index or a slice of an axis."""
    if isinstance(x, Weight):
        if not (isinstance(where, slice) and axis == 0 and step == 1 and x.view == View(x.view.source)):
            return None
        rows = range(x.shape[0])[where]
        array = x.array[where]
        return Weight.of(View(x.view.source, rows=(rows.start, rows.stop)), array)
    x = low.whole(low.value(x))
    at = x.axis(axis)
    if isinstance(where, slice):
        start, stop = where.start, where.stop
        if (start, stop, step) == (0, x.shape[axis], 1):
            return x
        text = f"{start or ''}:{'' if stop >= x.shape[axis] else stop}" + (f":{step}" if step != 1 else "")
        shape, axes = tuple(len(range(start, stop, step)) if a == axis else n for a, n in enumerate(x.shape)), x.axes
    else:
        text = str(where)
        shape = tuple(n for a, n in enumerate(x.shape) if a != axis)
        axes = tuple(a - (axis < a) for a in x.axes if a != axis)
    return low.emit(word("at")(", ".join([":"] * at + [text])), x, shape=shape, axes=axes)


@rule("onnx.Slice")
@of_weights
def _slice(low, node, x, starts, stops, axes=None, steps=None):
    start, stop = low.known(starts, any_batch=True), low.known(stops, any_batch=True)
    along = np.arange(len(start)) if axes is None else low.known(axes)
    step = np.ones(len(start), int) if steps is None else low.known(steps)
    for a, b, axis, s in zip(map(int, start), map(int, stop), map(int, along), map(int, step)):
        axis = axis % len(x.shape)
        if range(x.shape[axis])[a:b:s] == range(x.shape[axis]):
            continue
        low.check_batch(starts, stops)
        if x.shape[axis] == low.batch == BATCH and (min(a, b) < 0 or s < 0):
            raise BatchError("a part of the batch that is counted from its start")
        places = range(x.shape[axis])[a:b:s]
        if s < 0:
            if isinstance(x, Weight):
                return None
            x = low.whole(x)
            x = low.emit(word("ops.flip")(axis=x.axis(axis)), x, shape=x.shape)
            if len(places) == x.shape[axis]:
                continue
            s, last = -s, x.shape[axis] - 1
            places = range(last - places.start, last - places.stop, s)
        x = part_of(low, x, axis, slice(places.start, places.stop), s)
        if x is None:
            return None
    return x
