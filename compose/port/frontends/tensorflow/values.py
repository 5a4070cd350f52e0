"""What flows through the lowering: values whose reshapes may wait, and variables; constants are NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.port.ir.weights import Constant
from compose.port.lowering.values import GraphValue, GraphWeight


@dataclass(frozen=True)
class Value(GraphValue):
    """A value whose last reshape may wait.

    Attributes:
        ours: our shape; not the source's where a reshape waits: rows that TensorFlow joins for a matrix product, or an
            axis of length 1 that it inserts for a convolution over time.
    """

    ours: tuple[int, ...]


@dataclass(frozen=True)
class Weight(GraphWeight):
    """A variable, possibly reshaped or transposed."""

    @classmethod
    def constant(cls, array: Any) -> Weight:
        """An array of the graph used as a variable: part of the network, not trained."""
        array = np.asarray(array)
        return cls(Constant(array=array), array.shape, False)

    def reshaped(self, shape: tuple[int, ...]) -> Weight:
        if isinstance(self.take, Constant):
            return Weight.constant(self.take.array.reshape(shape))
        return replace(self, take=replace(self.take, shape=shape), shape=shape)

    def moved(self, axes: tuple[int, ...], note: str = "") -> Weight:
        """The weight with its axes in another order."""
        if isinstance(self.take, Constant):
            return Weight.constant(self.take.array.transpose(axes))
        if self.take.axes is not None:
            return self._moved_again(axes)
        take = replace(self.take, split=self.take.shape, shape=None, axes=axes, note=note)
        return replace(self, take=take, shape=tuple(self.shape[a] for a in axes))

    def _moved_again(self, axes: tuple[int, ...]) -> Weight:
        if self.take.shape is not None or self.take.axes is None:
            raise PortError(f"{self.take.source} reshaped after it was transposed, got it transposed again")
        order: tuple[int, ...] | None = tuple(self.take.axes[a] for a in axes)
        order = None if order == tuple(range(len(axes))) else order
        take = replace(self.take, axes=order, note=self.take.note if order else "")
        if order is None:
            take = replace(take, split=None, shape=self.take.split)
        return replace(self, take=take, shape=tuple(self.shape[a] for a in axes))
