"""Shorter words for the same thing: pairs of layers that one layer says."""

from __future__ import annotations

from dataclasses import replace

from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.graph import Op, SourceGraph


def normalise(graph: SourceGraph) -> SourceGraph:
    """The same graph with global pooling and the flatten after it as one, and flattening of flat values gone."""
    ops: list[Op] = []
    made_by: dict[int, int] = {}
    uses: dict[int, int] = {}
    for op in graph.ops:
        for value in op.inputs:
            uses[value] = uses.get(value, 0) + 1
    for op in graph.ops:
        before = ops[made_by[op.inputs[0]]] if len(op.inputs) == 1 and op.inputs[0] in made_by else None
        joined = _joined(before.layer, op.layer) if before and uses[before.output] == 1 else None
        if before is not None and joined is not None:
            place = made_by.pop(before.output)
            ops[place] = replace(before, layer=joined, output=op.output)
            made_by[op.output] = place
        else:
            made_by[op.output] = len(ops)
            ops.append(op)
    return replace(graph, ops=tuple(ops))


def _joined(first: Layer, second: Layer) -> Layer | None:
    for name in ("global_avg_pool", "global_max_pool"):
        if first == word(name)(keepdims=True) and second == word("flatten"):
            return word(name)
    return None
