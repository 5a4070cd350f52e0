"""Elements written at places: over what is there, or added to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.lowering.values import BATCH, Value, identity_axes


@rules("onnx.ScatterElements", "onnx.Scatter")
def _scatter_each(low, node, x, places, updates):
    x, updates = low.as_source(low.as_value(x)), low.as_source(low.as_value(updates))
    axis = node.get("axis", 0) % x.ndim
    if any(n != m for a, (n, m) in enumerate(zip(x.shape, updates.shape)) if a != axis):
        raise PortError(f"elements for each place of the other axes, got {updates.shape} for {x.shape}")
    if isinstance(places, Value):
        places = low.as_source(places)
        places = low.emit(word("ops.mod")(y=x.shape[axis]), places, shape=places.shape)
    else:
        places = low.as_value(low.known(places) % x.shape[axis])
    return _written(low, node, x, places, updates, axis)


@rule("onnx.ScatterND")
def _scatter(low, node, x, places, updates):
    x, updates, count = low.as_source(low.as_value(x)), low.as_source(low.as_value(updates)), places.shape[-1]
    lead, rest = x.shape[:count], x.shape[count:]
    if low.batch == BATCH in lead:
        raise PortError("places that are no examples of the batch")
    steps = np.cumprod((1, *lead[:0:-1]))[::-1]
    at = (low.known(places) % np.array(lead) * steps).sum(-1).ravel()
    flat = _reshaped(low, x, (math.prod(lead), *rest))
    rows = _reshaped(low, updates, (at.size, *rest))
    index = np.broadcast_to(at.reshape(-1, *(1,) * len(rest)), rows.shape)
    made = _written(low, node, flat, low.as_value(index), rows, 0)
    return _reshaped(low, made, low.shape)


def _reshaped(low: Any, x: Value, shape: tuple[int, ...]) -> Value:
    if x.shape == shape:
        return x
    return low.emit(word("reshape")(*shape, batch=False), x, shape=shape, axes=identity_axes(len(shape)))


def _written(low: Any, node: Any, x: Value, places: Value, updates: Value, axis: int) -> Value:
    """Elements at places of an axis: instead of what is there, or in a sum with it."""
    how = node.get("reduction", "none")
    if how == "none":
        layer = word("ops.put_along_axis")(axis=axis, inplace=False)
        return low.emit(layer, x, places, updates, shape=x.shape)
    if how in ("min", "max"):
        layer = word("scatter_along_axis")(axis=axis, mode=how)
        return low.emit(layer, x, places, updates, shape=x.shape, axes=x.axes)
    if how != "add":
        raise PortError(f"elements written over others, added to them or compared with them, got reduction={how}")
    letters = "abcdefgh"[: x.ndim]
    given = letters.replace(letters[axis], "k")
    chosen = low.emit(word("one_hot")(size=x.shape[axis]), places, shape=(*places.shape, x.shape[axis]),
                      axes=identity_axes(x.ndim + 1))  # fmt: skip
    equation = f"{given}{letters[axis]},{given}->{letters}"
    total = low.emit(word("contract")(equation=equation), chosen, updates, shape=x.shape, axes=x.axes)
    return low.emit(word("add"), x, total, shape=x.shape)
