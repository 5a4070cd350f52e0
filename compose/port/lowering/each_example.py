"""What is held or computed once for all examples, as a value with a row for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.ir.weights import Constant
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.layout_lowering import LayoutLowering
from compose.port.lowering.values import BATCH, Value, Weight, identity_axes


def has_batch(shape: tuple[int, ...]) -> bool:
    return any(n and n % BATCH == 0 for n in shape)


def for_each(low: LayoutLowering, x: Any, shape: tuple[int, ...], like: Value) -> Value:
    """A value, a weight or a constant that broadcasts to `shape`, as a value of that shape, whatever axis is the batch.

    Where the first axis is several rows of each example, as of its heads, these are joined to it.

    Args:
        like: a value whose first axis is the batch.
    """
    along = [a for a, n in enumerate(shape) if n and n % BATCH == 0]
    if len(along) != 1 or like.shape[0] != BATCH or (along[0] and shape[along[0]] != BATCH):
        raise PortError("what is repeated for each example along one axis, as its rows along the first")
    axis, wide = along[0], (1,) * (len(shape) - len(x.shape)) + tuple(x.shape)
    if any(n not in (1, m) for n, m in zip(wide, shape)):
        raise PortError("an array whose rows are those of the batch")
    if shape[axis] > BATCH:
        return _rows(low, _with_ones(low, x, (1, *wide)), shape, like)
    make = _repeated if isinstance(x, Value) else _held
    return make(low, _with_ones(low, x, wide), shape, axis, like)


def rows_for_each(low: LayoutLowering, x: Any, times: tuple[int, ...], after: tuple[int, ...], like: Value) -> Value:
    """Several rows, such as a table of distances, repeated so many times for each example, as one axis."""
    inner = (after[0] // BATCH, *after[1:])
    if tuple(x.shape) != inner:
        x = x if isinstance(x, Value) else _alone(low, x, like)
        x = low.emit(word("ops.tile")(reps=times), low.as_source(x), shape=inner, axes=identity_axes(len(inner)))
    return _rows(low, _with_ones(low, x, (1, *inner)), after, like)


def _rows(low: LayoutLowering, x: Any, shape: tuple[int, ...], like: Value) -> Value:
    """The rows of an example for each, as one axis."""
    wide = for_each(low, x, (BATCH, shape[0] // BATCH, *shape[1:]), like)
    return low.reshaped(wide, shape, BATCH, flattens=False)


def _held(low: LayoutLowering, x: Any, shape: tuple[int, ...], axis: int, like: Value) -> Value:
    """A weight or a constant of one row as a `parameter` with one for each example."""
    if isinstance(x, np.ndarray):
        x = np.broadcast_to(x, (*shape[:axis], 1, *shape[axis + 1 :]))
    own, axes = tuple(n for a, n in enumerate(x.shape) if a != axis), _batch_first(axis, len(shape))
    x = x if isinstance(x, Weight) else _constant(x)
    layer, arrays = layer_of(replace(x, view=x.reshaped_view(own)), own)
    made = low.emit(layer, like, shape=(*x.shape[:axis], BATCH, *x.shape[axis + 1 :]), axes=axes, **arrays)
    if made.shape == shape:
        return made
    sizes = (-1 if n == m else m for a, (n, m) in enumerate(zip(made.shape, shape)) if a != axis)
    return low.emit(word("broadcast_to")(*sizes), made, shape=shape, axes=axes)


def _repeated(low: LayoutLowering, x: Value, shape: tuple[int, ...], axis: int, like: Value) -> Value:
    """A value as one for each example."""
    if x.shape[axis] == shape[axis]:  # it has the batch
        sizes = (-1 if n == m else m for n, m in zip(x.shape[1:], shape[1:]))
        return low.emit(word("broadcast_to")(*sizes), x, shape=shape, axes=x.axes)
    alike, axes = (*shape[:axis], 1, *shape[axis + 1 :]), _batch_first(axis, len(shape))
    if x.shape != alike:
        x = low.emit(word("ops.broadcast_to")(shape=alike), x, shape=alike, axes=x.axes)
    return low.emit(word("expand_batch"), low.moved(x, axes), like, shape=shape, axes=axes)


def _batch_first(axis: int, rank: int) -> tuple[int, ...]:
    return (axis, *(a for a in range(rank) if a != axis))


def _alone(low: LayoutLowering, x: Any, like: Value) -> Value:
    """A weight or a constant as a value without a batch."""
    layer, arrays = layer_of(x if isinstance(x, Weight) else _constant(x), tuple(x.shape), batch=False)
    return low.emit(layer, like, shape=tuple(x.shape), axes=identity_axes(len(x.shape)), **arrays)


def _constant(array: np.ndarray) -> Weight:
    return Weight.of(Constant(array=array), array, trained=False)


def _with_ones(low: LayoutLowering, x: Any, shape: tuple[int, ...]) -> Any:
    """The same with leading axes of length 1."""
    if isinstance(x, np.ndarray):
        return x.reshape(shape)
    if isinstance(x, Weight):
        return replace(x, shape=shape, array=x.array.reshape(shape))
    x, missing = low.as_source(x), len(shape) - len(x.shape)
    if not missing:
        return x
    layer = word("ops.expand_dims")(axis=0 if missing == 1 else tuple(range(missing)))
    return low.emit(layer, x, shape=shape, axes=identity_axes(len(shape)))
