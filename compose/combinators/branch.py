"""Layers side by side: on the same input, on a tuple of inputs, or with a shortcut around them."""

from __future__ import annotations

from typing import Any

from compose.combinators.seq import Siblings
from compose.core.combinator import Combinator
from compose.core.errors import ShapeError, shape_text
from compose.core.function import function
from compose.core.hooks import hooks
from compose.core.layer import Layer, as_layer, layer
from compose.core.printing import Operation
from compose.core.registry import word


@function
def add(*xs):
    """The sum of several inputs.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `Add`, torch `add`.
    """
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


@function
def subtract(a, b):
    """The first input minus the second.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `Subtract`, torch `sub`.
    """
    return a - b


@function
def multiply(*xs):
    """The elementwise (Hadamard) product of several inputs.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `Multiply`, torch `mul`.
    """
    product = xs[0]
    for x in xs[1:]:
        product = product * x
    return product


@function
def divide(a, b):
    """The first input divided by the second, elementwise.

    Shapes: any that broadcast, to the shape they broadcast to. Elsewhere: Keras `ops.divide`, torch `div`.
    """
    return a / b


@function
def identity(*xs):
    """The input, unchanged: one array or several.

    Shapes: any, unchanged. Elsewhere: Keras `Identity`, torch `Identity`, Flax `identity`.
    """
    return xs[0] if len(xs) == 1 else xs


@function
def collect(*xs):
    """Several inputs as a tuple, unchanged; the join that keeps all outputs.

    Shapes: any, a tuple of the same.
    """
    return xs


_OPERATORS = {"add": "+", "multiply": "*"}


@layer
class branch(Siblings):
    """Several layers on the same input, their outputs joined by `join`; `f + g` and `f * g` for sums and products.

    The default join returns the tuple of outputs; `join=concat()` concatenates along the last axis. Shapes: one input,
    to the tuple of the outputs or the output of `join`. Elsewhere: Keras `Concatenate`, `Add`, `Multiply` after a fork;
    Golgi `Add`, `HadamardProd`.
    """

    layers: tuple[Layer, ...] = ()
    join: Layer = collect

    def __init__(self, *layers: Any, join: Any = collect, name: str | None = None):
        for key, value in (("layers", layers), ("join", join), ("name", name)):
            object.__setattr__(self, key, value)
        self.__post_init__()

    @classmethod
    def joined(cls, operator: str, a: Any, b: Any) -> branch:
        """`a + b` or `a * b`; a chain of the same operator becomes one branch."""
        join = word(operator)
        a, b = as_layer(a), as_layer(b)
        chained = isinstance(a, branch) and a.join == join and a.name is None
        return cls(*(a.layers if chained else (a,)), b, join=join)

    def children(self):
        return (*zip(self.keys, self.layers), ("join", self.join))

    def with_children(self, layers):
        return self.but(layers=tuple(layers[:-1]), join=layers[-1])

    def flow(self, x, run):
        outs = tuple(run(key, inner, x) for key, inner in zip(self.keys, self.layers))
        return run("join", self.join, outs)

    def source(self, write):
        sign = _OPERATORS.get(self.join.kind) if self.join in (add, multiply) else None
        first = self.layers[0] if self.layers else None
        merges = isinstance(first, branch) and first.join == self.join and first.name is None
        if sign is None or self.name is not None or merges or not 2 <= len(self.layers) <= 50:  # the parser's depth
            return write.fields(self)
        return Operation(sign, tuple(map(write.value, self.layers)))


hooks.join = branch.joined


@layer
class parallel(Siblings):
    """Each layer on its own input of a tuple; returns the tuple of outputs.

    Shapes: a tuple of inputs, to the tuple of the outputs.
    """

    layers: tuple[Layer, ...] = ()

    def __init__(self, *layers: Any, name: str | None = None):
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "name", name)
        self.__post_init__()

    def flow(self, x, run):
        if not isinstance(x, tuple) or len(x) != len(self.layers):
            raise ShapeError(f"a tuple of {len(self.layers)} inputs, one per layer", shape_text(x))
        return tuple(run(key, inner, part) for key, inner, part in zip(self.keys, self.layers, x))


@layer
class residual(Combinator):
    """`f(x) + shortcut(x)` (He et al., Deep Residual Learning, 2015).

    Shapes: both outputs must have the same shape; project the shortcut if `f` changes the shape. Elsewhere: Keras
    `Add` after a fork.
    """

    body: Layer
    shortcut: Layer = identity

    def flow(self, x, run):
        y, skip = run("body", self.body, x), run("shortcut", self.shortcut, x)
        if not _alike(y, skip):
            raise ShapeError(
                "equal shapes on both sides of the sum",
                f"body {shape_text(y)}, shortcut {shape_text(skip)}",
                "use a shortcut that changes the shape too, such as fc(...) or conv(..., 1, stride=2)",
            )
        return run("join", add, (y, skip))


def _alike(a, b) -> bool:
    """Whether two arrays have the same shape, or one of them has batch size 1."""
    left, right = (getattr(v, "shape", None) for v in (a, b))
    if left is None or right is None or left == right:
        return left == right
    return len(left) == len(right) > 1 and left[1:] == right[1:] and 1 in (left[0], right[0])
