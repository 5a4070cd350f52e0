"""Slices, gathers, selections by index, one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule
from compose.port.frontends.onnx.weight_moves import of_weights
from compose.port.ir.weights import Take
from compose.port.lowering.values import Pending, Value, Weight, identity_axes


@rule("onnx.Gather")
@of_weights
def _gather(low, node, x, ids):
    axis = node.get("axis", 0)
    if isinstance(x, Weight) and isinstance(ids, Value):
        table = low.weight(x)
        if axis != 0 or len(table.shape) != 2:
            raise PortError(f"an embedding: rows of a matrix, got axis {axis} of shape {table.shape}")
        ids = low.as_source(ids)
        axes = identity_axes(ids.ndim + 1)
        return low.emit(word("embedding")(*table.shape), ids, axes=axes, weights={"embedding": table})

    return gathered(low, x, ids, axis)


@rule("onnx.GatherElements")
def _gather_each(low, node, x, places):
    x, places = low.whole(low.value(x)), low.value(places)
    return low.emit(
        word("ops.take_along_axis")(axis=x.axis(node.get("axis", 0))), x, low.moved(places, x.axes), axes=x.axes
    )


def gathered(low, x: Any, ids: Any, axis: int) -> Any:
    """Constant indices along an axis: one, or a contiguous range."""
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
    if places.ndim != 1 or flat != list(range(flat[0], flat[0] + len(flat))):
        raise PortError(f"places in a row, got {flat[:8]}")
    return part_of(low, x, axis, slice(flat[0], flat[-1] + 1))


def part_of(low, x: Any, axis: int, where: int | slice, step: int = 1) -> Any:
    """`x` at an index or a slice of an axis."""
    if isinstance(x, Weight):
        if not (isinstance(where, slice) and axis == 0 and step == 1 and x.take == Take(x.take.source)):
            return None
        rows = range(x.shape[0])[where]
        array = x.array[where]
        return Weight.of(Take(x.take.source, rows=(rows.start, rows.stop)), array)
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
        if s < 0:
            if s != -1 or len(range(x.shape[axis])[a:b:s]) != x.shape[axis] or isinstance(x, Weight):
                raise PortError(f"a slice with a step above 0, or a whole axis backwards, got step {s}")
            x = low.whole(x)
            x = low.emit(word("ops.flip")(axis=x.axis(axis)), x, shape=x.shape)
            continue
        places = range(x.shape[axis])[a:b:s]
        x = part_of(low, x, axis, slice(places.start, places.stop), s)
        if x is None:
            return None
    return x
