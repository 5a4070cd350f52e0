"""The description of one parameter: its shape, its initializer, and the meaning of its axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compose.core.initializer import Initializer


@dataclass(frozen=True)
class Param:
    """One array of a layer's parameters or state.

    Args:
        shape: its shape.
        init: draws its initial value.
        dtype: its dtype; None for that of the layer's input if floating point.
        axes: one word per axis, `"in"`, `"out"`, `"space"` or `"layer"`; None for `(*space, in, out)`.
            Initializers compute fans from it.
        fan_in: overrides the fan in, for a bias initialized by the fan of its kernel.
    """

    shape: tuple[int, ...]
    init: Initializer
    dtype: Any = None
    axes: tuple[str, ...] | None = None
    fan_in: int | None = None

    @property
    def named_axes(self) -> tuple[str, ...]:
        rank = len(self.shape)
        return self.axes or ((*["space"] * (rank - 2), "in", "out") if rank > 1 else ("out",) * rank)

    @property
    def fans(self) -> tuple[int, int]:
        """Fan in and fan out: the number of inputs to one output, and of outputs that one input reaches."""
        size = {"in": 1, "out": 1, "space": 1, "layer": 1}
        for axis, length in zip(self.named_axes, self.shape, strict=True):
            size[axis] *= length
        fan_in = self.fan_in if self.fan_in is not None else size["in"] * size["space"]
        return fan_in, size["out"] * size["space"]

    def make(self, key):
        """Draw the array."""
        return self.init.draw(key, self.shape, self.dtype, self.fans)
