"""Parts of an input, and the input with a constant."""

from __future__ import annotations

import ast
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.function import function
from compose.core.layer import Layer, layer
from compose.layers.slicing import take_slice

__all__ = ["add_constant", "at", "scale", "split"]


@function
def scale(x, by: float = 1.0):
    """The input times a constant.

    Shapes: any, unchanged. Elsewhere: Keras `Rescaling` is `scale(by=1 / 255)`.
    """
    return x * by


@function
def add_constant(x, value: float = 0.0):
    """The input plus a constant.

    Shapes: any, unchanged.
    """
    return x + value


@function
def split(x, parts: int | tuple[int, ...], axis: int = -1):
    """A tuple of so many equal parts, or of parts of these sizes, along `axis`.

    Shapes: one array, to a tuple of parts with less along `axis`. Elsewhere: Keras `ops.split`, torch `chunk` and
    `split`.
    """
    sizes = (x.shape[axis] // parts,) * parts if isinstance(parts, int) else parts
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    if ends[-1] != x.shape[axis]:
        raise ShapeError(f"an axis {axis} of {ends[-1]}, the sum of {sizes}", shape_text(x))
    return tuple(jnp.split(x, ends[:-1], axis))


@layer
class at(Layer):
    """`x[index]`, the index as it is written between brackets: `at(":, -1")`; of a tuple, one of its values.

    A list of places, of one axis, gives those: `at(":, [2, 0, 1]")`.

    Shapes: those that NumPy's indexing gives. Elsewhere: `x[index]` in Keras, torch and Flax.
    """

    index: str

    def validate(self):
        _read(self.index)

    def forward(self, p, x, ctx):
        index = _read(self.index)
        if isinstance(x, tuple) and not isinstance(index, int):
            raise ShapeError("a position, to take one of several values", f"[{self.index}] of {shape_text(x)}")
        if not isinstance(x, tuple):
            _refuse_outside(self.index, index, x)
            return take_slice(x, *(index if isinstance(index, tuple) else (index,)))
        return x[index]


def _refuse_outside(text: str, index: Any, x: Any) -> None:
    """Raise `ShapeError` for a place outside an axis, which JAX moves to the nearest inside."""
    parts = [part for part in (index if isinstance(index, tuple) else (index,)) if part is not None]
    gap = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    axes = [*range(gap), gap, *range(x.ndim - len(parts) + gap + 1, x.ndim)]
    for axis, part in zip(axes, parts):
        if axis >= x.ndim or isinstance(part, slice) or part is Ellipsis:
            continue
        if np.any(np.asarray(part) >= x.shape[axis]) or np.any(np.asarray(part) < -x.shape[axis]):
            raise ShapeError(f"places inside the axes, as [{text}] names them", shape_text(x))


def _read(text: str) -> Any:
    try:
        node = ast.parse(f"x[{text}]", mode="eval").body
        assert isinstance(node, ast.Subscript) and sum(isinstance(n, ast.List) for n in ast.walk(node)) < 2
        return _index(node.slice)
    except (SyntaxError, ValueError, AssertionError, MemoryError, RecursionError):
        raise ConfigError("an index of ints, slices, ..., None and one list of ints", repr(text)) from None


def _index(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(map(_index, node.elts))
    if isinstance(node, ast.Slice):
        return slice(*(None if p is None else _index(p) for p in (node.lower, node.upper, node.step)))
    value = ast.literal_eval(node)
    if isinstance(value, list) and value and all(type(place) is int for place in value):
        return np.asarray(value)
    if value is None or value is Ellipsis or type(value) is int:
        return value
    raise ValueError
