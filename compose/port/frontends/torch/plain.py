"""Layers of values, parameters, constants and numbers alike, in the source's order of axes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.operands import Operands, plain
from compose.port.ir.weights import Constant
from compose.port.lowering.values import BATCH, Pending, Value, Weight, identity_axes


def plains(low: Operands, xs: Iterable[Any]) -> list[Value]:
    """Each of `xs` as a value, beside the first that is one. Raises `PortError` where none depends on the input."""
    xs = [x.value() if isinstance(x, Pending) else x for x in xs]
    like = next((x for x in xs if isinstance(x, Value)), low.like)
    if like is None:
        raise PortError("a value that depends on the input")
    return [plain(low, x, like) for x in xs]


def spread(low: Any, x: Any, source: Any) -> Any:
    """A constant with all its rows, of which one is kept where those of all examples are alike.

    Args:
        source: the node that gives it.
    """
    if not isinstance(x, (np.ndarray, Weight)) or not isinstance(source, torch.fx.Node):
        return x
    shape = sizes_of(source.meta["val"])
    return x if tuple(x.shape) == shape else for_each(low, x, shape)


def for_each(low: Any, x: Any, shape: tuple[int, ...]) -> Value:
    """A constant with one row as the rows of all examples, of this shape."""
    low.sized = True
    like = next((v for v in low.inputs if v.ndim and v.shape[0] == BATCH), None)
    if like is None or shape[0] != BATCH or not isinstance(x, np.ndarray) or x.shape != (1, *shape[1:]):
        raise PortError("an array whose rows are those of the batch")
    take, axes = Constant(array=x[0].astype(np.float64)), identity_axes(len(shape))
    made = low.emit(word("parameter")(*shape[1:]), like, shape=shape, axes=axes, weights={"value": take})
    if x.dtype.kind == "f":
        return made
    cast = word("ops.not_equal")(y=0) if x.dtype == bool else word("ops.astype")(dtype=word("int32"))
    return low.emit(cast, made, shape=shape, axes=axes)


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
