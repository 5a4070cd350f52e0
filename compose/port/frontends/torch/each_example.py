"""What is held or computed once for all examples, repeated for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.constants import without_batch
from compose.port.frontends.torch.operands import alone, plain
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import BATCH, Value, Weight


def has_batch(shape: tuple[int, ...]) -> bool:
    return any(n and n % BATCH == 0 for n in shape)


def spread(low: Any, x: Any, source: Any) -> Any:
    """A value, a parameter or a constant with all its rows, of which one is kept where they are alike.

    Args:
        source: the node that gives it.
    """
    if not isinstance(x, (np.ndarray, Weight, Value)) or not isinstance(source, torch.fx.Node):
        return x
    shape = sizes_of(source.meta["val"])
    return x if tuple(x.shape) == shape else spread_to(low, x, shape)


def spread_to(low: Any, x: Any, shape: tuple[int, ...]) -> Value:
    """A value, a parameter or a constant that broadcasts to `shape`, as a value of that shape."""
    low.sized = True
    if isinstance(x, Derived):
        x = x.beside(_first(low))
    if not has_batch(shape):
        return emitted(low, word("ops.broadcast_to")(shape=shape), plain(low, x, _first(low)), shape=shape)
    if not isinstance(x, Value) and len(x.shape) < len(shape):
        x = _with_ones(x, (1,) * (len(shape) - len(x.shape)) + tuple(x.shape))
    return _repeated(low, x, shape) if isinstance(x, Value) else for_each(low, x, shape)


def _first(low: Any) -> Value:
    """An input with axes, of which the first is the batch if an input has one."""
    given = [v for v in low.inputs if v.ndim]
    if not given:
        raise PortError("an input with axes")
    return next((v for v in given if v.shape[0] == BATCH), given[0])


def constant(low: Any, x: Any) -> Value:
    """A result that does not depend on the input, as a value."""
    known, low.sized = without_batch(x), True
    if known.shape == x.shape:
        return plain(low, known, low.inputs[0])
    return for_each(low, known, x.shape)


def of_batch(low: Any, x: Any) -> Any:
    """A constant that has rows for each example, the same for all, as a value; anything else as it is."""
    if not isinstance(x, np.ndarray) or not x.ndim or not len(x) or len(x) % BATCH:
        return x
    parts = x.reshape(BATCH, len(x) // BATCH, *x.shape[1:])
    if (parts != parts[:1]).any():
        return x
    wide = for_each(low, parts[:1], parts.shape)
    return low.reshaped(wide, x.shape, BATCH, flattens=False)


def as_rows(low: Any, x: Any, times: tuple[int, ...], after: tuple[int, ...]) -> Value:
    """A value or a parameter of several rows, such as a table of distances, repeated so many times for each example."""
    low.sized = True
    inner = (after[0] // BATCH, *after[1:])
    if isinstance(x, Weight) and x.shape == inner:
        wide = for_each(low, _with_ones(x, (1, *inner)), (BATCH, *inner))
    else:
        x = plain(low, x, _first(low))
        x = x if x.shape == inner else emitted(low, word("ops.tile")(reps=times), x, shape=inner)
        wide = _repeated(low, _widened(low, x, len(after) + 1), (BATCH, *inner))
    return low.reshaped(wide, after, BATCH, flattens=False)


def for_each(low: Any, x: Any, shape: tuple[int, ...]) -> Value:
    """A constant or a parameter with one row as that of all examples, of this shape, whatever axis is the batch's.

    Where the first axis is several rows of each example, as of its heads, these are joined to it.
    """
    low.sized = True
    axis, rows, like = _place(low, shape)
    kept = tuple(x.shape) if len(x.shape) == len(shape) and x.shape[axis] == 1 else ()
    if kept and rows == 1 and _widens(kept, shape, axis):  # spread along other axes, too
        wide = for_each(low, x, (*kept[:axis], shape[axis], *kept[axis + 1 :]))
        sizes = (-1 if n == m else m for a, (n, m) in enumerate(zip(wide.shape, shape)) if a != axis)
        return low.emit(word("broadcast_to")(*sizes), wide, shape=shape, axes=wide.axes)
    if tuple(x.shape) != (*shape[:axis], 1, *shape[axis + 1 :]):
        raise PortError("an array whose rows are those of the batch")
    if rows > 1 and isinstance(x, np.ndarray):
        wide = for_each(low, np.broadcast_to(x[None], (1, rows, *shape[1:])), (BATCH, rows, *shape[1:]))
        return low.reshaped(wide, shape, BATCH, flattens=False)
    if rows > 1:
        return _repeated(low, alone(low, x, like), shape)
    rest = tuple(n for a, n in enumerate(shape) if a != axis)
    given = replace(x, view=x.reshaped_view(rest)) if isinstance(x, Weight) else x.reshape(rest)
    layer, arrays = layer_of(given, rest)
    return low.emit(layer, like, shape=shape, axes=_batch_first(axis, len(shape)), **arrays)


def _repeated(low: Any, x: Value, shape: tuple[int, ...]) -> Value:
    """As `for_each`, a value without a batch."""
    axis, rows, like = _place(low, shape)
    x = _widened(low, low.as_source(x), len(shape))
    if x.shape[axis] == shape[axis]:  # it has the batch
        sizes = (-1 if n == m else m for n, m in zip(x.shape[1:], shape[1:]))
        return low.emit(word("broadcast_to")(*sizes), x, shape=shape, axes=x.axes)
    if rows > 1:
        wide = _repeated(low, _widened(low, x, len(shape) + 1), (BATCH, rows, *shape[1:]))
        return low.reshaped(wide, shape, BATCH, flattens=False)
    alike = (*shape[:axis], 1, *shape[axis + 1 :])
    if x.shape != alike:
        x = emitted(low, word("ops.broadcast_to")(shape=alike), x, shape=alike)
    axes = _batch_first(axis, len(shape))
    return low.emit(word("expand_batch"), low.moved(x, axes), like, shape=shape, axes=axes)


def _with_ones(x: Any, shape: tuple[int, ...]) -> Any:
    """A constant or a parameter with more axes of length 1."""
    return x.reshape(shape) if isinstance(x, np.ndarray) else replace(x, shape=shape, array=x.array.reshape(shape))


def _place(low: Any, shape: tuple[int, ...]) -> tuple[int, int, Value]:
    """The axis of the batch in a shape, how many rows of it an example has, and an input with the batch."""
    along, like = [a for a, n in enumerate(shape) if n and n % BATCH == 0], _first(low)
    if len(along) != 1 or like.shape[0] != BATCH or (along[0] and shape[along[0]] != BATCH):
        raise PortError("what is repeated for each example along one axis, as its rows along the first")
    return along[0], shape[along[0]] // BATCH, like


def _batch_first(axis: int, rank: int) -> tuple[int, ...]:
    return (axis, *(a for a in range(rank) if a != axis))


def _widened(low: Any, x: Value, rank: int) -> Value:
    """The value with leading axes of length 1, up to this rank."""
    if x.ndim >= rank:
        return x
    missing = rank - x.ndim
    layer = word("ops.expand_dims")(axis=0 if missing == 1 else tuple(range(missing)))
    return emitted(low, layer, x, shape=(1,) * missing + x.shape)


def _widens(kept: tuple[int, ...], shape: tuple[int, ...], axis: int) -> bool:
    """Whether an array of one element along some axes, apart from the batch's, is repeated along them."""
    rest = [(n, m) for a, (n, m) in enumerate(zip(kept, shape)) if a != axis]
    return any(n != m for n, m in rest) and all(n in (1, m) for n, m in rest)
