"""Attention between linear maps as `multi_head_attention`, however these serve queries, keys and values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from compose.core.function import Function
from compose.core.registry import word
from compose.layers.dense import fc
from compose.port.ir.graph import Op
from compose.port.ir.weights import Take

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

    def take(self, name: str) -> Take | None:
        take = self.op.weights.get(name)
        if not isinstance(take, Take):
            return None
        by_rows = name == "bias" or take.axes == (1, 0)
        if by_rows:
            start = take.rows[0] if take.rows else 0
            return replace(take, rows=(start + self.columns[0], start + self.columns[1]))
        start = take.columns[0] if take.columns else 0
        return replace(take, columns=(start + self.columns[0], start + self.columns[1]))


def join_heads(ops: list[Op], sizes: dict[int, tuple[int, ...]], wanted: set[int]) -> list[Op]:
    """The operations with every attention that is fed by linear maps, and followed by one, as one layer.

    Args:
        sizes: our shapes of the values.
        wanted: the values that are read outside.
    """
    made = {op.output: op for op in ops}
    uses = Counter(v for op in ops for v in op.inputs)
    uses.update(wanted)
    for op in ops:
        if isinstance(op.layer, Function) and op.layer.kind == _KIND and len(op.inputs) in (3, 4):
            found = _joined(op, made, uses, sizes, ops)
            if found is not None:
                gone, whole = found
                ops = [whole if o is gone[-1] else o for o in ops if o is gone[-1] or not any(o is g for g in gone)]
                made = {o.output: o for o in ops}
    return ops


def _joined(op: Op, made: dict, uses: Counter, sizes: dict, ops: list[Op]) -> tuple[list[Op], Op] | None:
    parts = [_projection(v, made, sizes) for v in op.inputs[:3]]
    after = _after(op, uses, ops)
    if after is None or any(p is None for p in parts):
        return None
    projections = [p for p in parts if p is not None]
    join, out = after
    q, k, v = projections
    inner = [o for p in projections for o in (p.op, *p.moves, *([p.turn] if p.turn else []))]
    gone = list({id(o): o for o in (*inner, op, join, out)}.values())
    own = Counter(i for o in gone for i in o.inputs)
    closed = all(uses[o.output] == own[o.output] for o in gone if o is not out)
    width = q.columns[1] - q.columns[0]
    sized = [(p.columns[1] - p.columns[0]) * q.heads == width * p.heads for p in projections]
    turns = {p.turn and p.turn.layer for p in (q, k)}
    alike = k.heads == v.heads and all(sized) and len(turns) == 1 and v.turn is None
    features = sizes.get(out.output, (0,))[-1]
    biases = ["bias" in p.op.weights for p in projections]
    plain = len(set(biases)) == 1 or biases == [True, False, True]
    if not closed or not alike or width != features or not plain or not _all_read(projections):
        return None
    weights = {"out_kernel": out.weights["kernel"]} | (
        {"out_bias": out.weights["bias"]} if "bias" in out.weights else {}
    )
    for name, p in zip(("query", "key", "value"), projections):
        weights |= {f"{name}_{w}": t for w in ("kernel", "bias") if (t := p.take(w)) is not None}
    options = dict(op.layer.options)  # pyright: ignore[reportAttributeAccessIssue]
    options |= {} if k.heads == q.heads else {"kv_heads": k.heads}
    options |= {} if biases[0] == biases[1] else {"key_bias": False}
    options |= {} if q.turn is None else {"rotary": q.turn.layer}
    layer = word("multi_head_attention")(q.heads, bias=biases[0], out_bias="bias" in out.weights, **options)
    x, y, z = (p.op.inputs[0] for p in projections)
    inputs = (x,) if x == y == z else (x, y) if y == z else (x, y, z)
    return gone, replace(out, layer=layer, inputs=(*inputs, *op.inputs[3:]), weights=weights)


def _projection(value: int, made: dict, sizes: dict) -> _Projection | None:
    """The columns of a linear map that become the heads of a value `(batch, time, heads, n)`."""
    moves: list[Op] = []
    op = made.get(value)
    turn = op if op is not None and op.layer.kind == "rotary" else None
    op = made.get(turn.inputs[0]) if turn is not None else op
    while op is not None and op.layer.kind in _MOVES and len(op.inputs) == 1:
        moves.insert(0, op)
        op = made.get(op.inputs[0])
    if op is None or not _is_linear(op) or len(sizes.get(op.output, ())) != 3:
        return None
    _, time, n = sizes[op.output]
    places = np.broadcast_to(np.arange(n), (1, time, n))
    for move in moves:
        places = np.asarray(move.layer.apply({}, {}, places)[0])
    if places.ndim != 4 or places.shape[:2] != (1, time) or not (places == places[:, :1]).all():
        return None
    flat = places[0, 0].ravel()
    if not np.array_equal(flat, np.arange(flat[0], flat[0] + flat.size)):
        return None
    return _Projection(op, tuple(moves), places.shape[2], (int(flat[0]), int(flat[-1]) + 1), turn)


def _is_linear(op: Op) -> bool:
    plain = isinstance(op.layer, fc) and op.layer == fc(op.layer.size, bias=op.layer.bias)
    take = op.weights.get("kernel")
    return plain and isinstance(take, Take) and (take.split, take.shape, take.order) == (None, None, None)


def _after(op: Op, uses: Counter, ops: list[Op]) -> tuple[Op, Op] | None:
    """The reshape that joins the heads, and the linear map after it."""
    join = next((o for o in ops if op.output in o.inputs), None)
    out = next((o for o in ops if join is not None and join.output in o.inputs), None)
    if join is None or out is None or join.layer.kind not in ("reshape", "flatten") or not _is_linear(out):
        return None
    return (join, out) if uses[op.output] == uses[join.output] == 1 else None


def _all_read(projections: list[_Projection]) -> bool:
    """Whether every column of every map is read, and once."""
    read: dict[int, list[int]] = {}
    for p in projections:
        read.setdefault(id(p.op), []).extend(range(*p.columns))
    return all(sorted(read[id(p.op)]) == list(range(p.op.layer.size)) for p in projections)  # pyright: ignore
