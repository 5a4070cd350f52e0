"""Normalisations that exporters write out."""

from __future__ import annotations

from typing import Any

from compose.port.onnx.fold import Graph
from compose.port.onnx.model import Node
from compose.port.onnx.patterns.find import is_weight, made_by, own, replace, with_number

_NORMS = ("onnx.compose.LayerNorm", "onnx.compose.RmsNorm")


def layer_norm(graph: Graph, node: Node) -> None:
    """`(x - mean) / sqrt(var + epsilon)` over the last axis, and `x / sqrt(mean(x²) + epsilon)`."""
    for i, j in ((0, 1), (1, 0)) if node.op == "onnx.Mul" else ((0, 1),) if node.op == "onnx.Div" else ():
        centred, root = node.inputs[i], _root(graph, node.inputs[j], turned=node.op == "onnx.Mul")
        inner = _variance(graph, root[0]) if root is not None else None
        if root is None or inner is None:
            continue
        spread, nodes = inner
        minus = made_by(graph, centred, "onnx.Sub")
        mean = _mean(graph, minus.inputs[1]) if minus is not None else None
        same = spread == centred or _alike(graph, minus, made_by(graph, spread, "onnx.Sub"))
        if minus is not None and mean is not None and mean.inputs[0] == minus.inputs[0] and same:
            attributes = {"axis": -1, "epsilon": root[1]}
            made = node.but(op=_NORMS[0], inputs=(minus.inputs[0],), attributes=attributes)
        elif spread == centred:
            made = node.but(op=_NORMS[1], inputs=(centred,), attributes={"axis": -1, "epsilon": root[1]})
        else:
            continue
        replace(graph, [*nodes, *root[2], node], made)
        _without_unread(graph)
        return


def affine(graph: Graph, node: Node) -> None:
    """The scale and the bias after such a norm."""
    for i in (0, 1) if node.op in ("onnx.Mul", "onnx.Add") else ():
        norm = own(graph, node.inputs[i])
        weight = node.inputs[1 - i]
        if norm is None or norm.op not in _NORMS or not is_weight(graph, weight):
            continue
        size, slots = graph.shapes[norm.inputs[0]][-1], 1 if node.op == "onnx.Mul" else 2
        fits = graph.shapes[weight][-1:] == (size,) and all(n == 1 for n in graph.shapes[weight][:-1])
        if fits and len(norm.inputs) == slots and (slots == 1 or norm.op == _NORMS[0]):
            replace(graph, [norm, node], norm.but(inputs=(*norm.inputs, weight), outputs=node.outputs))
            return


def _root(graph: Graph, name: str, turned: bool) -> tuple[str, float, list[Node]] | None:
    """Of `sqrt(v + epsilon)`, or of one over it: v, epsilon and the nodes."""
    nodes: list[Node] = []
    if turned:
        over = own(graph, name)
        if over is None or not (over.op == "onnx.Reciprocal" or (_is_one(graph, over))):
            return None
        nodes, name = [over], over.inputs[-1]
    root = own(graph, name, "onnx.Sqrt")
    plus = own(graph, root.inputs[0], "onnx.Add") if root is not None else None
    shifted = with_number(graph, plus, "onnx.Add")
    if root is None or plus is None or shifted is None:
        return None
    return shifted[0], shifted[1], [plus, root, *nodes]


def _is_one(graph: Graph, node: Node) -> bool:
    return node.op == "onnx.Div" and graph.number(node.inputs[0]) == 1


def _variance(graph: Graph, name: str) -> tuple[str, list[Node]] | None:
    """Of the mean of squares over the last axis: what is squared, and the nodes."""
    mean = _mean(graph, name)
    square = own(graph, mean.inputs[0]) if mean is not None else None
    if mean is None or square is None:
        return None
    by_power = square.op == "onnx.Pow" and graph.number(square.inputs[1]) == 2
    by_product = square.op == "onnx.Mul" and square.inputs[0] == square.inputs[1]
    return (square.inputs[0], [square, mean]) if by_power or by_product else None


def _mean(graph: Graph, name: str) -> Node | None:
    node = made_by(graph, name, "onnx.ReduceMean")
    if node is None or not node.get("keepdims", 1):
        return None
    rank = len(graph.shapes[node.inputs[0]])
    axes: Any = node.get("axes") if len(node.inputs) < 2 else graph.constants.get(node.inputs[1])
    return node if axes is not None and [int(a) % rank for a in axes] == [rank - 1] else None


def _alike(graph: Graph, a: Node | None, b: Node | None) -> bool:
    return a is not None and b is not None and (a.op, a.inputs) == (b.op, b.inputs)


def _without_unread(graph: Graph) -> None:
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    left = [node for node in graph.nodes if read & set(node.outputs)]
    again = len(left) < len(graph.nodes)
    graph.nodes = left
    if again:
        _without_unread(graph)
