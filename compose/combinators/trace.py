"""The tracers that a graph's lambda is called with."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.registry import word


class Node:
    """A value of the graph being traced."""

    def __init__(self, steps: list, index: int, inputs: int, make: Any):
        self.steps, self.index, self.inputs, self.make = steps, index, inputs, make

    def __compose_step__(self, layer: Layer, args: tuple) -> Node:
        """Add the step `layer(*args)` and return its value."""
        for arg in args:
            if not isinstance(arg, Node) or arg.steps is not self.steps:
                raise ConfigError(
                    "values of this graph as arguments",
                    f"{type(arg).__name__} {arg!r}",
                    "put constants in a layer: scale(0.5), add_constant(1.0)",
                ).locate(layer)
        self.steps.append(self.make(layer, tuple(arg.index for arg in args)))
        return Node(self.steps, self.inputs + len(self.steps) - 1, self.inputs, self.make)

    def _joined(self, operator: str, other: Any) -> Node:
        if not isinstance(other, Node):
            return NotImplemented
        return word(operator)(self, other)

    def __add__(self, other):
        return word("add_constant")(value=other)(self) if _number(other) else self._joined("add", other)

    __radd__ = __add__

    def __sub__(self, other):
        return word("add_constant")(value=-other)(self) if _number(other) else self._joined("subtract", other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        return word("scale")(by=other)(self) if _number(other) else self._joined("multiply", other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return word("scale")(by=1 / other)(self) if _number(other) else self._joined("divide", other)

    def __matmul__(self, other):
        return self._joined("matmul", other)

    def __neg__(self):
        return word("scale")(by=-1)(self)

    def __getitem__(self, index):
        return word("at")(index_text(index))(self)

    def __iter__(self):
        raise ConfigError("outputs unpacked by index, as in pair[0], pair[1]", "iteration over a value of a graph")

    def __bool__(self):
        raise ConfigError("a graph whose shape does not depend on data", "a condition on a value of a graph")


def index_text(index: Any) -> str:
    """The text of an index between the brackets: `:, -1`."""
    if isinstance(index, tuple):
        return ", ".join(map(index_text, index)) + ("," if len(index) == 1 else "")
    if isinstance(index, slice):
        parts = [index.start, index.stop] + ([index.step] if index.step is not None else [])
        return ":".join("" if p is None else str(p) for p in parts)
    if index is Ellipsis:
        return "..."
    if index is None or (isinstance(index, int) and not isinstance(index, bool)):
        return str(index)
    raise ConfigError("an index of ints, slices, ... and None", repr(index))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
