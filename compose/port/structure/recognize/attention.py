"""Attention written out: two products around a softmax."""

from __future__ import annotations

import math
from dataclasses import replace

from compose.layers.attention.dot_product import scaled_dot_product_attention
from compose.layers.shape import permute
from compose.port.ir.graph import Op
from compose.port.structure.recognize.match import match
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.pattern import Call, Product, Slot, Sum, Var
from compose.port.structure.recognize.rewrite import Replacement, Rewriter
from compose.port.structure.recognize.words import MATMUL, activation

_Q, _V = Var("q"), Var("v")
_SIDES = Product((_Q,), Slot("on_queries")), Product((Var("keys"),), Slot("on_keys"))
_SCORES = Product((Call(MATMUL, _SIDES),), Slot("on_scores"))
_ATTENTION = Call(MATMUL, (activation("softmax", _SCORES, axis=Slot("axis")), _V))
_WITH_BIAS = Call(MATMUL, (activation("softmax", Sum((_SCORES, Var("bias"))), axis=Slot("axis")), _V))
_HEADS_FIRST = permute(0, 2, 1, 3)
_FROM_KEYS_LAST = permute(0, 3, 1, 2)


def _written_out(op: Op, graph: Operations) -> Replacement | None:
    """`softmax(q @ kᵀ · scale) @ v` of `(batch, heads, time, n)`, where the axes were moved to get the heads first.

    Numbers of four axes may be added to the scores.
    """
    found = match(_ATTENTION, op, graph) or match(_WITH_BIAS, op, graph)
    shape = None if found is None else graph.shape(found.values["q"])
    if found is None or shape is None or len(shape) != 4 or found.numbers["axis"] not in (-1, 3):
        return None
    q, keys, v = (found.values[name] for name in ("q", "keys", "v"))
    ends = (graph.producers.get(q), graph.producers.get(keys), graph.producers.get(v), graph.reader(op.output))
    if any(end is None or not isinstance(end.layer, permute) for end in ends):
        return None
    if any((graph.shape(value) or ())[:2] != shape[:2] for value in (keys, v)):
        return None  # heads that broadcast
    bias = found.values.get("bias")
    if bias is not None and not _fits(graph.shape(bias), shape, graph.shape(keys)):
        return None
    scale = math.prod(found.numbers[name] for name in ("on_queries", "on_keys", "on_scores"))
    usual = abs(scale * shape[-1] ** 0.5 - 1) < 1e-12
    layer = scaled_dot_product_attention if usual else scaled_dot_product_attention(scale=scale)
    new: list[Op] = []
    values = []
    for value, move in ((q, _HEADS_FIRST), (keys, _FROM_KEYS_LAST), (v, _HEADS_FIRST)):
        values.append(graph.fresh())
        new.append(replace(op, layer=move, inputs=(value,), output=values[-1]))
    values += [] if bias is None else [bias]
    attended = graph.fresh()
    new.append(replace(op, layer=layer, inputs=tuple(values), output=attended))
    return Replacement(found.ops, (*new, replace(op, layer=_HEADS_FIRST, inputs=(attended,))))


def _fits(bias: tuple[int, ...] | None, queries: tuple[int, ...], keys: tuple[int, ...] | None) -> bool:
    """Whether numbers of a shape are added to scores of four axes; `keys` have theirs last."""
    if bias is None or keys is None or len(bias) != 4:
        return False
    return all(n in (1, m) for n, m in zip(bias, (*queries[:3], keys[-1])))


ATTENTION: tuple[Rewriter, ...] = (Rewriter(frozenset((MATMUL,)), _written_out),)
