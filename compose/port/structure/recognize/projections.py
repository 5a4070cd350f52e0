"""Attention between linear maps as `multi_head_attention`, however these are split among queries, keys and values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from compose.core.function import Function
from compose.core.registry import word
from compose.layers.dense import fc
from compose.port.ir.graph import Op
from compose.port.ir.weights import View
from compose.port.structure.recognize.operations import Operations
from compose.port.structure.recognize.rewrite import Replacement, Rewriter

_MOVES = ("reshape", "at", "flatten", "permute")
_KIND = "scaled_dot_product_attention"


@dataclass(frozen=True)
class _Projection:
    """One of the three maps: some columns of a linear map."""

    op: Op
    moves: tuple[Op, ...]
    heads: int
    columns: tuple[int, int]
    turn: Op | None  # its rotary layer
    factor: float  # of its scales

    def view(self, name: str) -> View | None:
        view = self.op.weights.get(name)
        if not isinstance(view, View):
            return None
        by_rows = name == "bias" or view.axes == (1, 0)
        if by_rows:
            start = view.rows[0] if view.rows else 0
            return replace(view, rows=(start + self.columns[0], start + self.columns[1]))
        start = view.columns[0] if view.columns else 0
        return replace(view, columns=(start + self.columns[0], start + self.columns[1]))


def _joined(op: Op, graph: Operations) -> Replacement | None:
    """Attention that linear maps feed, and that a linear map follows, as one layer."""
    if not isinstance(op.layer, Function) or len(op.inputs) not in (3, 4):
        return None
    after = _after(op, graph)
    if after is None:
        return None
    parts = [_projection(v, graph) for v in op.inputs[:3]]
    projections = [p for p in parts if p is not None]
    if len(projections) < 3:
        return None
    join, out = after
    q, k, v = projections
    inner = [o for p in projections for o in (p.op, *p.moves, *([p.turn] if p.turn else []))]
    old = frozenset(o.output for o in (*inner, op, join, out))
    width = q.columns[1] - q.columns[0]
    sized = [(p.columns[1] - p.columns[0]) * q.heads == width * p.heads for p in projections]
    turns = {p.turn and p.turn.layer for p in (q, k)}
    alike = k.heads == v.heads and all(sized) and len(turns) == 1 and v.turn is None and v.factor == 1
    features = out.layer.size  # pyright: ignore[reportAttributeAccessIssue]
    biases = ["bias" in p.op.weights for p in projections]
    plain = len(set(biases)) == 1 or biases == [True, False, True]
    closed = graph.closed(old, out.output)
    if not closed or not alike or width != features or not plain or not _all_read(projections):
        return None
    weights = {"out_kernel": out.weights["kernel"]} | (
        {"out_bias": out.weights["bias"]} if "bias" in out.weights else {}
    )
    for name, p in zip(("query", "key", "value"), projections):
        weights |= {f"{name}_{w}": t for w in ("kernel", "bias") if (t := p.view(w)) is not None}
    options = dict(op.layer.options)
    options |= {} if k.heads == q.heads else {"kv_heads": k.heads}
    options |= {} if biases[0] == biases[1] else {"key_bias": False}
    options |= {} if q.turn is None else {"rotary": q.turn.layer}
    usual = (width // q.heads) ** -0.5
    scale = (options.pop("scale", None) or usual) * q.factor * k.factor
    options |= {} if math.isclose(scale, usual, rel_tol=1e-12) else {"scale": scale}
    layer = word("multi_head_attention")(q.heads, bias=biases[0], out_bias="bias" in out.weights, **options)
    x, y, z = (p.op.inputs[0] for p in projections)
    inputs = (x,) if x == y == z else (x, y) if y == z else (x, y, z)
    return Replacement(old, (replace(out, layer=layer, inputs=(*inputs, *op.inputs[3:]), weights=weights),))


def _projection(value: int, graph: Operations) -> _Projection | None:
    """The columns of a linear map that become the heads of a value `(batch, time, heads, n)`."""
    moves: list[Op] = []
    turn: Op | None = None
    op = graph.producers.get(value)
    while op is not None and len(op.inputs) == 1:
        if op.layer.kind == "rotary" and turn is None and all(map(_scales, moves)):
            turn = op
        elif op.layer.kind in _MOVES or _scales(op):
            moves.insert(0, op)
        else:
            break
        op = graph.producers.get(op.inputs[0])
    scales = [dict(move.layer.options)["by"] for move in moves if _scales(move)]  # pyright: ignore[reportAttributeAccessIssue]
    shape = graph.shape(op.output) if op is not None and _is_linear(op) else None
    if op is None or shape is None or len(shape) != 3:
        return None
    _, time, n = shape
    places = np.broadcast_to(np.arange(n), (1, time, n))
    for move in (move for move in moves if not _scales(move)):
        places = np.asarray(move.layer.apply({}, {}, places)[0])
    if places.ndim != 4 or places.shape[:2] != (1, time) or not (places == places[:, :1]).all():
        return None
    flat = places[0, 0].ravel()
    if not np.array_equal(flat, np.arange(flat[0], flat[0] + flat.size)):
        return None
    factor = math.prod(scales)
    return _Projection(op, tuple(moves), places.shape[2], (int(flat[0]), int(flat[-1]) + 1), turn, factor)


def _scales(op: Op) -> bool:
    return isinstance(op.layer, Function) and op.layer.kind == "scale" and "by" in dict(op.layer.options)


def _is_linear(op: Op) -> bool:
    plain = isinstance(op.layer, fc) and op.layer == fc(op.layer.size, bias=op.layer.bias)
    view = op.weights.get("kernel")
    return plain and isinstance(view, View) and (view.split, view.shape, view.order) == (None, None, None)


def _after(op: Op, graph: Operations) -> tuple[Op, Op] | None:
    """The reshape that joins the heads, and the linear map after it."""
    join = graph.reader(op.output)
    out = None if join is None else graph.reader(join.output)
    if join is None or out is None or join.layer.kind not in ("reshape", "flatten") or not _is_linear(out):
        return None
    return join, out


def _all_read(projections: list[_Projection]) -> bool:
    """Whether every column of every map is read, and once."""
    read: dict[int, list[int]] = {}
    for p in projections:
        read.setdefault(id(p.op), []).extend(range(*p.columns))
    return all(sorted(read[id(p.op)]) == list(range(p.op.layer.size)) for p in projections)  # pyright: ignore


PROJECTIONS: tuple[Rewriter, ...] = (Rewriter(frozenset((_KIND,)), _joined),)
