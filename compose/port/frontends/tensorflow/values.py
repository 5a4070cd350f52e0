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
        if isinstance(self.view, Constant):
            return Weight.constant(self.view.array.reshape(shape))
        return replace(self, view=replace(self.view, shape=shape), shape=shape)

    def moved(self, axes: tuple[int, ...], note: str = "") -> Weight:
        """The weight with its axes in another order."""
        if isinstance(self.view, Constant):
            return Weight.constant(self.view.array.transpose(axes))
        if self.view.axes is not None:
            return self._moved_again(axes)
        view = replace(self.view, split=self.view.shape, shape=None, axes=axes, note=note)
        return replace(self, view=view, shape=tuple(self.shape[a] for a in axes))

    def _moved_again(self, axes: tuple[int, ...]) -> Weight:
        if self.view.shape is not None or self.view.axes is None:
            raise PortError(f"{self.view.source} reshaped after it was transposed, got it transposed again")
        order: tuple[int, ...] | None = tuple(self.view.axes[a] for a in axes)
        order = None if order == tuple(range(len(axes))) else order
        view = replace(self.view, axes=order, note=self.view.note if order else "")
        if order is None:
            view = replace(view, split=None, shape=self.view.split)
        return replace(self, view=view, shape=tuple(self.shape[a] for a in axes))
