"""Transpositions in a row as one, or none."""

from __future__ import annotations

from dataclasses import replace

from compose.combinators import identity
from compose.layers.shape import permute
from compose.port.ir.graph import Op
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.rewrite import Replacement, Rewriter
from compose.port.structure.recognize.words import PERMUTE


def _in_one(op: Op, graph: Operations) -> Replacement | None:
    before = graph.producers.get(op.inputs[0])
    if before is None or not isinstance(before.layer, permute) or not isinstance(op.layer, permute):
        return None
    first, second = before.layer.axes, op.layer.axes
    if len(first) != len(second):
        return None
    axes = tuple(first[a] for a in second)
    layer = identity if axes == tuple(range(len(axes))) else permute(*axes)
    old = {op.output} if graph.readers[before.output] > 1 else {op.output, before.output}
    return Replacement(frozenset(old), (replace(op, layer=layer, inputs=before.inputs),))


MOVES: tuple[Rewriter, ...] = (Rewriter(frozenset((PERMUTE,)), _in_one),)
