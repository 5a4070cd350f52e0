"""Writes to a part of a value, as the exporter has them once they are out of place."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.float64 import exact
from compose.port.frontends.torch.operands import as_value
from compose.port.frontends.torch.registry import rule, rules
from compose.port.frontends.torch.rules.mask import where
from compose.port.frontends.torch.rules.scatter import is_mask, update
from compose.port.frontends.torch.rules.shape import wider
from compose.port.lowering.values import BATCH, Value, identity_axes


@rule("aten.copy")
def _copy(low, node, x: Any, source: Any, non_blocking: bool = False):
    """The source, broadcast to what it is written to."""
    shape = low.shape
    if not isinstance(source, Value):
        return np.broadcast_to(np.asarray(source.array if hasattr(source, "array") else source), shape)
    if source.shape == shape:
        return source
    source = low.as_source(source)
    wide = source.but(shape=(1,) * (len(shape) - source.ndim) + source.shape)
    if source.ndim != len(shape):
        axes = tuple(range(len(shape) - source.ndim))
        wide = low.emit(word("ops.expand_dims")(axis=axes), source, shape=wide.shape, axes=identity_axes(len(shape)))
    return low.emit(word("broadcast_to")(*wider(wide.shape, shape)), wide, shape=shape, axes=identity_axes(len(shape)))


@rules("aten.fill", "aten.zero")
def _fill(low, node, x: Any, value: Any = 0.0):
    if isinstance(value, Value):
        raise PortError("a number to fill with")
    with exact():
        return torch.full((), float(np.asarray(value)), dtype=node.meta["val"].dtype).expand(low.shape).numpy()


@rules("aten.slice_scatter", "aten.select_scatter")
def _scatter(low, node, x: Any, source: Any, axis: int = 0, *where_: Any):
    """A part along an axis replaced: both, one behind the other, from which each place takes its own."""
    shape, axis = low.shape, axis % len(low.shape)
    n = shape[axis]
    if not isinstance(x, Value) and not isinstance(source, Value):
        raise PortError("a write of a value, or to one")
    if "select" in str(node.target):
        places = [where_[0] % n]
        source = _with_axis(low, source, axis, shape)
    else:
        start, stop, step = (*where_, None, None, None)[:3]
        places = list(range(n))[slice(start, stop, step)]
    low.sized = True
    if len(places) == n:
        return source
    if n % BATCH == 0:
        raise PortError("a write to the same part of each example")
    like = x if isinstance(x, Value) else source
    x, source = (low.as_source(as_value(low, v, like)) for v in (x, source))
    if places == list(range(places[0], places[-1] + 1)):
        return _between(low, x, source, axis, places[0], places[-1] + 1)
    taken = list(range(n))
    for i, place in enumerate(places):
        taken[place] = n + i
    long = (*shape[:axis], n + len(places), *shape[axis + 1 :])
    at = ", ".join([":"] * axis + [str(taken)])
    both = low.emit(_joined(axis, len(shape)), x, source, shape=long, axes=identity_axes(len(shape)))
    return low.emit(word("at")(at), both, shape=shape, axes=identity_axes(len(shape)))


def _between(low, x: Value, source: Value, axis: int, start: int, stop: int) -> Value:
    """What is written, between what was before and behind it."""
    shape, n = low.shape, low.shape[axis]
    cut = lambda text, size: low.emit(
        word("at")(", ".join([":"] * axis + [text])), x, shape=(*shape[:axis], size, *shape[axis + 1 :]), axes=x.axes
    )
    parts = [cut(f":{start}", start)] * (start > 0) + [source] + [cut(f"{stop}:", n - stop)] * (stop < n)
    return low.emit(_joined(axis, len(shape)), *parts, shape=shape, axes=x.axes)


def _joined(axis: int, rank: int) -> Any:
    return word("concat") if axis == rank - 1 else word("concat")(axis=axis)


def _with_axis(low, source: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """What is written to one place, with the axis of that place."""
    if not isinstance(source, Value):
        return np.expand_dims(np.asarray(source), axis)
    made = (*shape[:axis], 1, *shape[axis + 1 :])
    layer = word("ops.expand_dims")(axis=axis)
    return low.emit(layer, low.as_source(source), shape=made, axes=identity_axes(len(made)))


@rule("aten.index_put")
def _index_put(low, node, x: Any, places: list, value: Any, accumulate: bool = False):
    """`x[places] = value`; of a mask that depends on data, one with a place for each element and one value for all."""
    mask = places[0] if len(places) == 1 else None
    if accumulate or not isinstance(mask, Value) or not is_mask(low, 0):
        return update(low, x, places, value, accumulate)
    one = (isinstance(value, Value) and not value.ndim) or (isinstance(value, np.ndarray) and value.size == 1)
    known = isinstance(mask, Value) and tuple(mask.shape) == tuple(x.shape)
    if not known or not (one or isinstance(value, (int, float))):
        raise PortError("a write of one number, where a mask as large as the value is true")
    number = float(value.item()) if isinstance(value, np.ndarray) else value
    return where(low, node, mask, number, x)
