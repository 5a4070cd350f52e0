"""Rows of a table, and values by their position."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.rules.shape import indexed
from compose.port.frontends.tensorflow.values import Value, Weight


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
    if isinstance(ids, Value) and first == place == ids.ndim - 1:
        ids, rest = low.whole(ids), table.ndim - ids.ndim
        wide = (*ids.shape, *(1,) * rest)
        ids = low.emit(word("reshape")(*wide[1:]), ids, shape=wide) if rest else ids
        layer = word("gather") if place == table.ndim - 1 else word("gather")(axis=place)
        return low.emit(layer, table, ids)
    raise PortError("places of each example along one axis, as in tf.gather(x, ids, axis=1, batch_dims=1)")


def _fixed(low: Any, x: Value, ids: np.ndarray, axis: int) -> Value:
    """Places that are known: one, some a step apart, or any."""
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
