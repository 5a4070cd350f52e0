"""Scaled dot-product attention, which exporters write as two products around a softmax.

It stays here because a causal mask is an array of the file, which the lowering would read as a weight.
"""

from __future__ import annotations

import numpy as np

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import factors, own, replace


def attention(graph: Graph, node: Node) -> None:
    """`softmax(q @ kᵀ · scale + mask) @ v`; the scale may be on q, k or both, the mask be causal or none."""
    soft = own(graph, node.inputs[0], "onnx.Softmax") if node.op == "onnx.MatMul" else None
    rank = len(graph.shapes[node.outputs[0]])
    if soft is None or rank != 4 or soft.get("axis", -1) not in (-1, rank - 1):
        return
    found = _scores(graph, soft.inputs[0])
    if found is None:
        return
    product, scale, causal, nodes = found
    sides = [factors(graph, name, inner=True) for name in product.inputs]
    if any(len(names) != 1 for _, names, _ in sides):
        return
    (a, (q,), on_q), (b, (turned,), on_k) = sides
    k = f"{turned}/keys"
    shape = graph.shapes[turned]
    graph.shapes[k] = (*shape[:-2], shape[-1], shape[-2])
    keys = product.but(op="onnx.Transpose", inputs=(turned,), outputs=(k,), attributes={"perm": (0, 1, 3, 2)})
    attributes = {"scale": scale * a * b, "causal": causal}
    made = node.but(op="onnx.compose.Attention", inputs=(q, k, node.inputs[1]), attributes=attributes)
    replace(graph, [*on_q, *on_k, product, *nodes, soft, node], keys, made)


def _scores(graph: Graph, name: str) -> tuple[Node, float, bool, list[Node]] | None:
    """The product of queries and keys, its scale, whether it is causal, and the nodes after it."""
    scale, causal, nodes = 1.0, False, []
    while True:
        node = own(graph, name)
        if node is None:
            return None
        if node.op == "onnx.MatMul":
            return node, scale, causal, nodes
        mask = _masked(graph, node)
        if mask is not None:
            name, hidden = mask
            if hidden:
                causal = True
            nodes = [node, *nodes]
            continue
        number, names, more = factors(graph, name, inner=True)
        if not more or len(names) != 1:
            return None
        scale, name, nodes = scale * number, names[0], [*more, *nodes]


def _masked(graph: Graph, node: Node) -> tuple[str, bool] | None:
    """The scores under a constant mask, and whether it hides what comes later; None for another one."""
    if node.op == "onnx.Add":
        parts = [
            (node.inputs[i], graph.constants.get(n, graph.weights.get(n)))
            for i, n in ((0, node.inputs[1]), (1, node.inputs[0]))
        ]
        for scores, mask in parts:
            if mask is not None and mask.size > 1:
                return _causal(scores, mask < -1e4, mask[mask > -1e4])
    if node.op == "onnx.Where" and node.inputs[0] in graph.constants:
        seen = graph.constants[node.inputs[0]].astype(bool)
        for scores, other, hidden in ((node.inputs[1], node.inputs[2], ~seen), (node.inputs[2], node.inputs[1], seen)):
            least = graph.number(other)
            if least is not None and least < -1e4:
                return _causal(scores, hidden, np.zeros(0))
    return None


def _causal(scores: str, hidden: np.ndarray, rest: np.ndarray) -> tuple[str, bool] | None:
    if np.any(rest) or hidden.ndim < 2:
        return None
    first = hidden.reshape(-1, *hidden.shape[-2:])
    if not hidden.any():
        return scores, False
    later = np.triu(np.ones(hidden.shape[-2:], bool), 1)
    return (scores, True) if all(np.array_equal(part, later) for part in first[:8]) and (first == later).all() else None
