"""Shapes of the values of a graph, computed when a recogniser asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from compose.core.plan import plan
from compose.port.ir.graph import Op


class Shapes:
    """The abstract value of each value; without the graph's inputs none is known."""

    def __init__(self, inputs: Mapping[int, Any]):
        self.specs: dict[int, Any] = dict(inputs)

    def of(self, value: int, producers: Mapping[int, Op]) -> tuple[int, ...] | None:
        """The shape of an array, or None where it is not known or the value is a tuple."""
        waiting = [value]
        while waiting:
            op = producers.get(waiting[-1])
            needed = [] if op is None else [v for v in op.inputs if v not in self.specs]
            if waiting[-1] in self.specs or not needed:
                self._add(waiting.pop(), op)
            else:
                waiting += needed
        spec = self.specs[value]
        return tuple(spec.shape) if isinstance(spec, jax.ShapeDtypeStruct) else None

    def _add(self, value: int, op: Op | None) -> None:
        if value in self.specs:
            return
        given = () if op is None else tuple(self.specs[v] for v in op.inputs)
        known = op is not None and all(spec is not None for spec in given)
        self.specs[value] = plan(op.layer, given[0] if len(given) == 1 else given).out if op and known else None
