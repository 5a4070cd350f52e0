"""Layers of each row between a reshape to rows and one back, which they need not: they read the last axis alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax

from compose.combinators import collect, identity
from compose.core.function import Function
from compose.core.layer import Layer
from compose.layers.activation import basic, smooth
from compose.layers.dense import fc
from compose.layers.dropout import alpha_dropout, dropout
from compose.layers.learned import learned_bias, learned_scale
from compose.layers.norm.batch import layer_norm, rms_norm
from compose.layers.shape import reshape
from compose.port.ir.graph import Op, SourceGraph
from compose.port.structure.recognize import words
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.rewrite import Replacement, Rewriter, rewrite
from compose.port.structure.recognize.shapes import Shapes

_MOST = 64  # operations between the two
_OF_ELEMENTS = frozenset(
    (*basic.__all__, *smooth.__all__, words.SCALE, words.ADD_CONSTANT, words.CLIP, words.ABS, words.STOP_GRADIENT)
)
_OF_TWO = frozenset((words.ADD, words.SUBTRACT, words.MULTIPLY, words.DIVIDE))


def without_rows(graph: SourceGraph, inputs: Mapping[int, Any]) -> SourceGraph:
    """The graph with such layers on the array that the first reshape reads; itself if it has none.

    It is equal for arrays of any batch and of the lengths of `inputs`, the abstract values of its inputs: whether the
    sizes of the second reshape follow from the input's or are written in the source, a graph does not tell.
    """
    leaves, tree = jax.tree.flatten(graph.outputs)
    last = 1 + max((*graph.inputs, *(op.output for op in graph.ops)))
    found = rewrite(Operations([*graph.ops, Op(collect, tuple(leaves), last)], last, Shapes(inputs)), _ROWS).ops
    if len(found) > len(graph.ops):
        return graph
    *ops, outputs = found
    return replace(graph, ops=tuple(ops), outputs=jax.tree.unflatten(tree, outputs.inputs))


def _as_it_was(op: Op, graph: Operations) -> Replacement | None:
    """The layers on the array that the first reshape reads."""
    back = op.layer
    if not isinstance(back, reshape) or back.batch or len(back.shape) < 3 or back.shape[0] != -1:
        return None
    between, joins = _between(op.inputs[0], graph)
    if len({join.inputs[0] for join in joins}) != 1:
        return None
    whole = joins[0].inputs[0]
    before, rows = graph.shape(whole), graph.shape(op.inputs[0])
    if before is None or rows is None or back.shape[1:] != (*before[1:-1], rows[-1]) or len(rows) != 2:
        return None
    old = frozenset((*between, *(join.output for join in joins), op.output))
    if any(join.layer != reshape(-1, before[-1], batch=False) for join in joins) or not graph.closed(old, op.output):
        return None
    if not between:
        return Replacement(old, (replace(op, layer=identity, inputs=(whole,)),))
    named = {join.output: whole for join in joins}
    made = []
    for o in graph.ops:
        if o.output in between:
            named[o.output] = op.output if o.output == op.inputs[0] else graph.fresh()
            made.append(replace(o, inputs=tuple(named[v] for v in o.inputs), output=named[o.output]))
    return Replacement(old, tuple(made))


def _between(value: int, graph: Operations) -> tuple[dict[int, Op], list[Op]]:
    """The layers of rows that a value is computed by, and the reshapes before them; no reshapes if others are."""
    between: dict[int, Op] = {}
    joins: dict[int, Op] = {}
    waiting = [value]
    while waiting:
        v = waiting.pop()
        op = graph.producers.get(v)
        if v in between or v in joins:
            continue
        if op is not None and isinstance(op.layer, reshape):
            joins[v] = op
        elif op is not None and _of_rows(op) and len(between) < _MOST:
            between[v] = op
            waiting += op.inputs
        else:
            return {}, []
    return between, list(joins.values())


def _of_rows(op: Op) -> bool:
    """Whether a layer computes the same of rows as of an array with more axes before the last."""
    layer = op.layer
    if len(op.inputs) == 2:
        return layer.kind in _OF_TWO
    if isinstance(layer, fc):
        return layer.activation == identity or _of_elements(layer.activation)
    if isinstance(layer, (layer_norm, rms_norm)):
        return layer.axes == 1
    if isinstance(layer, (dropout, alpha_dropout)):
        return not layer.shared_axes
    if isinstance(layer, (learned_bias, learned_scale)):
        return layer.shape is None or len(layer.shape) == 1
    return len(op.inputs) == 1 and _of_elements(layer)


def _of_elements(layer: Layer) -> bool:
    return isinstance(layer, Function) and layer.kind in _OF_ELEMENTS


_ROWS = (Rewriter(frozenset((words.RESHAPE,)), _as_it_was),)
