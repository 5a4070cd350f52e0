"""What flows through the lowering of a trace besides constants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compose.port.lowering.values import BroadcastWeight as Weight
from compose.port.lowering.values import GraphValue

__all__ = ["Derived", "Value", "Weight", "Within"]


@dataclass(frozen=True)
class Value(GraphValue):
    """A value of the trace.

    Attributes:
        dtype: JAX's.
        own: its shape before the trace broadcast it along the batch, which is left undone; () for one that was not.
    """

    dtype: Any
    own: tuple[int, ...] = ()

    @property
    def made(self) -> tuple[int, ...]:
        return self.own or self.shape


@dataclass(eq=False)
class Derived:
    """What the trace computes from weights and constants alone; its layers come where a value first meets it.

    Attributes:
        eqn: the operation, and `position`, which of its results.
        given: what the operation reads.
        shape, dtype: those of the result.
        made: the results of the operation, once they were emitted; shared by all of them.
    """

    eqn: Any
    position: int
    given: list
    shape: tuple[int, ...]
    dtype: Any
    made: list = field(default_factory=list)

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass(frozen=True, eq=False)
class Within:
    """A boolean value and a constant mask, both of which must hold: attention reads one from the other."""

    value: Value
    constant: np.ndarray
