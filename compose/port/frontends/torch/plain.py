"""Layers of values, parameters, constants and numbers alike, in the source's order of axes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.operands import Operands, plain
from compose.port.lowering.values import Pending, Value, identity_axes


def plains(low: Operands, xs: Iterable[Any]) -> list[Value]:
    """Each of `xs` as a value, beside the first that is one. Raises `PortError` where none depends on the input."""
    xs = [x.value() if isinstance(x, Pending) else x for x in xs]
    like = next((x for x in xs if isinstance(x, Value)), low.like)
    if like is None:
        raise PortError("a value that depends on the input")
    return [plain(low, x, like) for x in xs]


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
