"""Activations that exporters write out.

Softplus stays here because the lowered words lose that its two branches are one function.
"""

from __future__ import annotations

import math

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import factors, made_by, own, replace


def softplus(graph: Graph, node: Node) -> None:
    """torch's, which is `x` above a threshold: `where(beta x > threshold, x, softplus(beta x) / beta)`."""
    greater = own(graph, node.inputs[0], "onnx.Greater") if node.op == "onnx.Where" else None
    bound = None if greater is None else graph.number(greater.inputs[1])
    if greater is None or bound is None:
        return
    x, scaled = node.inputs[1], greater.inputs[0]
    beta, names, nodes = factors(graph, scaled)
    number, rest, outer = factors(graph, node.inputs[2])
    plus = made_by(graph, rest[0], "onnx.Softplus") if len(rest) == 1 else None
    if plus is not None and plus.inputs[0] == scaled and names == [x] and math.isclose(number * beta, 1):
        made = node.but(op="onnx.compose.Softplus", inputs=(x,), attributes={"beta": beta, "threshold": bound})
        replace(graph, [*nodes, greater, plus, *outer, node], made)
