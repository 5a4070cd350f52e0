"""Transpositions in a row as one, or none; those around a reshape that undo each other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from compose.combinators import identity
from compose.layers.shape import permute, reshape
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


def _around_a_reshape(op: Op, graph: Operations) -> Replacement | None:
    """A transposition, a reshape and another transposition, as the reshape that all three are."""
    middle = graph.producers.get(op.inputs[0])
    first = None if middle is None else graph.producers.get(middle.inputs[0])
    if middle is None or first is None or not isinstance(op.layer, permute):
        return None
    if not isinstance(middle.layer, reshape) or not isinstance(first.layer, permute):
        return None
    shape = graph.shape(first.inputs[0])
    layers = (first.layer, middle.layer, op.layer)
    ends = (layer.axes[0] for layer in layers if isinstance(layer, permute))
    if shape is None or len(shape) < 2 or not middle.layer.batch or any(ends):
        return None
    places = np.arange(math.prod(shape[1:])).reshape(1, *shape[1:])
    moved = places
    for layer in layers:
        moved = np.asarray(layer.apply({}, {}, moved)[0])
    if not np.array_equal(moved.ravel(), places.ravel()):
        return None
    old, inner = {op.output}, op
    for before in (middle, first):
        if graph.reader(before.output) is not inner:
            break
        old.add(before.output)
        inner = before
    sizes = list(moved.shape[1:])
    if -1 in middle.layer.shape:
        free = middle.layer.shape.index(-1) + 1
        sizes[op.layer.axes.index(free) - 1] = -1
    return Replacement(frozenset(old), (replace(op, layer=reshape(*sizes), inputs=first.inputs),))


MOVES: tuple[Rewriter, ...] = (
    Rewriter(frozenset((PERMUTE,)), _in_one),
    Rewriter(frozenset((PERMUTE,)), _around_a_reshape),
)
