"""Layers of values, parameters, constants and numbers alike, in the source's order of axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.constants import without_batch
from compose.port.frontends.torch.operands import Operands, plain
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import BATCH, Pending, Value, Weight, identity_axes


def plains(low: Operands, xs: Iterable[Any]) -> list[Value]:
    """Each of `xs` as a value, beside the first that is one. Raises `PortError` where none depends on the input."""
    xs = [x.value() if isinstance(x, Pending) else x for x in xs]
    like = next((x for x in xs if isinstance(x, Value)), low.like)
    if like is None:
        raise PortError("a value that depends on the input")
    return [plain(low, x, like) for x in xs]


def spread(low: Any, x: Any, source: Any) -> Any:
    """A constant or a parameter with all its rows, of which one is kept where they are alike.

    Args:
        source: the node that gives it.
    """
    if not isinstance(x, (np.ndarray, Weight)) or not isinstance(source, torch.fx.Node):
        return x
    shape = sizes_of(source.meta["val"])
    if tuple(x.shape) == shape:
        return x
    if any(n and n % BATCH == 0 for n in shape):
        return for_each(low, x, shape)
    low.sized = True
    like = next((v for v in low.inputs if v.ndim), None)
    if like is None:
        raise PortError("an input with axes")
    return emitted(low, word("ops.broadcast_to")(shape=shape), plain(low, x, like), shape=shape)


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


def for_each(low: Any, x: Any, shape: tuple[int, ...]) -> Value:
    """A constant or a parameter with one row as that of all examples, of this shape, whatever axis is the batch's.

    Where the first axis is several rows of each example, as of its heads, these are joined to it.
    """
    low.sized = True
    like = next((v for v in low.inputs if v.ndim and v.shape[0] == BATCH), None)
    along = [a for a, n in enumerate(shape) if n and n % BATCH == 0]
    rank, axis = len(shape), along[0] if len(along) == 1 else 0
    rows = shape[axis] // BATCH
    kept = tuple(x.shape) if len(x.shape) == rank and x.shape[axis] == 1 else ()
    if kept and like is not None and rows == 1 and _widens(kept, shape, axis):  # spread along other axes, too
        wide = for_each(low, x, (*kept[:axis], shape[axis], *kept[axis + 1 :]))
        sizes = (-1 if n == m else m for a, (n, m) in enumerate(zip(wide.shape, shape)) if a != axis)
        return low.emit(word("broadcast_to")(*sizes), wide, shape=shape, axes=wide.axes)
    alike = tuple(x.shape) == (*shape[:axis], 1, *shape[axis + 1 :])
    if like is None or not rows or not alike or (rows > 1 and (axis or not isinstance(x, np.ndarray))):
        raise PortError("an array whose rows are those of the batch")
    if rows > 1:
        wide = for_each(low, np.broadcast_to(x[None], (1, rows, *shape[1:])), (BATCH, rows, *shape[1:]))
        return low.reshaped(wide, shape, BATCH, flattens=False)
    rest = tuple(n for a, n in enumerate(shape) if a != axis)
    axes = (axis, *(a for a in range(rank) if a != axis))
    if isinstance(x, Weight):
        weights = {"value": replace(x, view=x.reshaped_view(rest)) if x.view.axes is None else x}
        return low.emit(word("parameter")(*rest), like, shape=shape, axes=axes, weights=weights)
    layer, arrays = layer_of(x.reshape(rest), rest)
    return low.emit(layer, like, shape=shape, axes=axes, **arrays)


def _widens(kept: tuple[int, ...], shape: tuple[int, ...], axis: int) -> bool:
    """Whether an array of one element along some axes, apart from the batch's, is repeated along them."""
    rest = [(n, m) for a, (n, m) in enumerate(zip(kept, shape)) if a != axis]
    return any(n != m for n, m in rest) and all(n in (1, m) for n, m in rest)


def emitted(low: Operands, layer: Any, *xs: Any, shape: Iterable[int] | None = None) -> Value:
    """A layer of `xs` in the source's order of axes."""
    shape = low.shape if shape is None else tuple(shape)
    return low.emit(layer, *plains(low, xs), shape=shape, axes=identity_axes(len(shape)))


def part(low: Operands, both: Value, i: int, shape: Iterable[int]) -> Value:
    """One of the arrays that a layer gives."""
    shape = tuple(shape)
    return low.emit(word("at")(str(i)), both, shape=shape, axes=identity_axes(len(shape)))


def parts(low: Operands, layer: Any, *xs: Any) -> tuple[Value, ...]:
    """The arrays that a layer gives, of the shapes of the node's."""
    both = low.emit(layer, *plains(low, xs), shape=(), axes=())
    return tuple(part(low, both, i, sizes_of(made)) for i, made in enumerate(low.node.meta["val"]))


def each(low: Operands, name: str, *xs: Any) -> Value:
    """An operation of each element of values and numbers, which broadcast; numbers are its options."""
    numbers = [low.number(x) if not isinstance(x, Value) else None for x in xs]
    values = [x for x, n in zip(xs, numbers) if n is None]
    layer, names = word(name), list(word(name).__signature__.parameters)
    options = {names[i]: n for i, n in enumerate(numbers) if n is not None}
    if options and values and all(isinstance(v, Value) for v in values):
        layer = layer(**options)
    elif options:
        values = list(xs)
    if len(values) == 1 and isinstance(values[0], Value):
        return low.each(layer, values[0])
    if len(values) == 2 and all(isinstance(v, Value) for v in values) and not options:
        return low.joined(name, *values)
    return emitted(low, layer, *values)
