"""Layers that do not take each other's outputs: a mistake of a rule, said by the line of the source it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compose.core.errors import LayerError, PortError, shape_text
from compose.core.plan import plan
from compose.port.ir.graph import SourceGraph


def misfit(graph: SourceGraph, specs: Sequence[Any], error: LayerError) -> PortError:
    """The error for a graph whose network cannot be planned for inputs like `specs`."""
    shapes: dict[int, Any] = dict(zip(graph.inputs, specs))
    for op in graph.ops:
        given = [shapes[v] for v in op.inputs]
        try:
            shapes[op.output] = plan(op.layer, given[0] if len(given) == 1 else tuple(given)).out
        except LayerError as e:
            place = op.where or "/".join(op.path)
            where = f", at {place}" if place else ""
            return PortError(
                f"layers that take what comes before them, got {op.layer} for {shape_text(tuple(given))}{where}: "
                f"{e.expected}; the port reads this wrongly: write it with other operations, or keep it out of the port"
            )
    return PortError(f"layers that take what comes before them: {error}")
