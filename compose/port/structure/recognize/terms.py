"""Operations read as arithmetic: what they multiply, what they add, and the word and options of any other function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from compose.core.function import Function
from compose.core.layer import Layer
from compose.port.ir.graph import Op
from compose.port.structure.recognize import words


@dataclass(frozen=True)
class Term:
    """`number · value`, or with `inverse` `number / value`."""

    value: int
    number: float = 1.0
    inverse: bool = False


def reading(layer: Layer) -> tuple[str, dict[str, Any]]:
    """A function's word and options; powers with a word of their own are called by it."""
    if not isinstance(layer, Function):
        return "", {}
    options = dict(layer.options)
    if layer.kind == words.POWER:
        word = {0.5: words.SQRT, -0.5: words.RSQRT, -1.0: words.RECIPROCAL}.get(options.get("x2", 1.0))
        return (word, {}) if word else (layer.kind, options)
    return layer.kind, options


def factors_of(op: Op) -> tuple[float, tuple[Term, ...]]:
    """What an operation multiplies: a number and its factors; () for any other operation."""
    word, options = reading(op.layer)
    values = tuple(map(Term, op.inputs))
    if word == words.MULTIPLY:
        return 1.0, values
    if word == words.DIVIDE and len(values) == 2:
        return 1.0, (values[0], Term(op.inputs[1], inverse=True))
    if word == words.RECIPROCAL:
        return 1.0, (Term(op.inputs[0], inverse=True),)
    if word == words.SCALE:
        return float(options.get("by", 1.0)), values
    if word == words.SQUARE or (word == words.POWER and options.get("x2") in (2, 3)):
        return 1.0, values * int(options.get("x2", 2))
    return 1.0, ()


def terms_of(op: Op) -> tuple[float, tuple[Term, ...]]:
    """What an operation adds: a number and its terms; () for any other operation."""
    word, options = reading(op.layer)
    if word == words.ADD:
        return 0.0, tuple(map(Term, op.inputs))
    if word == words.SUBTRACT and len(op.inputs) == 2:
        return 0.0, (Term(op.inputs[0]), Term(op.inputs[1], -1.0))
    if word == words.ADD_CONSTANT:
        return float(options.get("value", 0.0)), (Term(op.inputs[0]),)
    if word == words.SCALE:
        return 0.0, (Term(op.inputs[0], float(options.get("by", 1.0))),)
    return 0.0, ()


def defaults_of(layer: Layer) -> dict[str, Any]:
    return _signature(layer.fn) if isinstance(layer, Function) else {}


@functools.cache
def _signature(fn: Callable) -> dict[str, Any]:
    """The options of a function that have a default, and this."""
    parameters = inspect.signature(fn).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def shares(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write n as a sum of so many positive numbers."""
    if parts == 1 and n > 0:
        yield (n,)
    if parts < 2:
        return
    for first in range(1, n - parts + 2):
        for rest in shares(n - first, parts - 1):
            yield (first, *rest)
