"""Nodes that change nothing."""

from __future__ import annotations

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.shape_inference import kind_of


def without_idle(graph: Graph) -> None:
    """Take out casts to the type that is there, copies, and moves that leave every number where it is."""
    other: dict[str, str] = {}
    kept = []
    for node in graph.nodes:
        node = node.but(inputs=tuple(other.get(name, name) for name in node.inputs))
        kept.append(node)
        if _is_idle(graph, node) and node.outputs[0] not in graph.outputs:
            other[node.outputs[0]] = kept.pop().inputs[0]
    graph.nodes = kept


def _is_idle(graph: Graph, node: Node) -> bool:
    if not node.inputs or node.inputs[0] not in graph.values:
        return False
    if node.op in ("onnx.Cast", "onnx.CastLike"):
        return kind_of(graph, node.inputs[0]) == graph.kinds[node.outputs[0]]
    if node.op in ("onnx.Reshape", "onnx.Expand"):
        return graph.shapes[node.inputs[0]] == graph.shapes[node.outputs[0]]
    return node.op == "onnx.Identity"
