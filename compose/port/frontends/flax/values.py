"""What flows through the lowering of a Flax module besides constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compose.port.lowering.values import BroadcastWeight as Weight
from compose.port.lowering.values import GraphValue

__all__ = ["Value", "Weight"]


@dataclass(frozen=True)
class Value(GraphValue):
    """A value of the trace, with JAX's dtype."""

    dtype: Any
