"""Shape layers: they move numbers and compute none."""

from __future__ import annotations

import ast
from typing import Any

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.function import function
from compose.core.layer import Layer, layer

__all__ = ["add_constant", "at", "concat", "flatten", "matmul", "scale"]


@function
def flatten(x):
    """All axes after the batch as one, `(batch, a, b, ...) -> (batch, a·b·...)`."""
    return x.reshape(x.shape[0], -1)


@function
def concat(*xs, axis: int = -1):
    """Several inputs joined along `axis`."""
    return jnp.concatenate(xs, axis=axis)


@function
def scale(x, by: float = 1.0):
    """The input times a constant."""
    return x * by


@function
def add_constant(x, value: float = 0.0):
    """The input plus a constant."""
    return x + value


@function(also=(jnp.matmul,))
def matmul(a, b):
    """The matrix product of two inputs over their last two axes."""
    return jnp.matmul(a, b)


@layer
class at(Layer):
    """`x[index]`, the index as it is written between brackets: `at(":, -1")`; of a tuple, one of its values."""

    index: str

    def validate(self):
        _read(self.index)

    def forward(self, p, x, ctx):
        index = _read(self.index)
        if isinstance(x, tuple) and not isinstance(index, int):
            raise ShapeError("a position, to take one of several values", f"[{self.index}] of {shape_text(x)}")
        return x[index]


def _read(text: str) -> Any:
    try:
        node = ast.parse(f"x[{text}]", mode="eval").body
        assert isinstance(node, ast.Subscript)
        return _index(node.slice)
    except (SyntaxError, ValueError, AssertionError, MemoryError, RecursionError):
        raise ConfigError("an index of ints, slices, ... and None", repr(text)) from None


def _index(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(map(_index, node.elts))
    if isinstance(node, ast.Slice):
        return slice(*(None if p is None else _index(p) for p in (node.lower, node.upper, node.step)))
    value = ast.literal_eval(node)
    if value is None or value is Ellipsis or type(value) is int:
        return value
    raise ValueError
