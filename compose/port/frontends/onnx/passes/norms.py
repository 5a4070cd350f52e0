"""Layer norms that exporters write out with the scale inside.

They stay here because of their layout: the mean is a global pooling over axes that the lowering moves.
"""

from __future__ import annotations

from typing import Any

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import is_weight, made_by, replace, with_number


def shifted_norm(graph: Graph, node: Node) -> None:
    """That of Keras on TensorFlow: `x * m + (bias - mean * m)` with `m = scale / sqrt(var + epsilon)`."""
    for i in (0, 1) if node.op == "onnx.Add" else ():
        scaled = made_by(graph, node.inputs[i], "onnx.Mul")
        names = scaled.inputs[:2] if scaled is not None else ()
        for x, m in zip(names, names[::-1]):
            spread = _spread(graph, m)
            bias = _shift(graph, node.inputs[1 - i], m, x)
            if spread is None or bias is None or (spread[0], spread[1]) != (x, bias[1]):
                continue
            axis, rank = bias[1], len(graph.shapes[x])
            given = (x, *(name for name in (spread[3], bias[0]) if name))
            layer = {"axis": -1, "epsilon": spread[2], "scale": bool(spread[3]), "bias": bool(bias[0])}
            norm = node.but(op="onnx.compose.LayerNorm", inputs=given, attributes=layer | {"over": axis % rank})
            replace(graph, [node], norm)
            _without_unread(graph)
            return


def _spread(graph: Graph, name: str) -> tuple[str, int, float, str] | None:
    """Of `scale / sqrt(var(x) + epsilon)`: x, the axis, epsilon and the name of scale, or ""."""
    times, scale = made_by(graph, name, "onnx.Mul"), ""
    if times is not None:
        scale = next((n for n in times.inputs if is_weight(graph, n)), "")
        name = next((n for n in times.inputs if n != scale), name)
    over = made_by(graph, name)
    root = made_by(graph, over.inputs[-1], "onnx.Sqrt") if over is not None else None
    plus = with_number(graph, made_by(graph, root.inputs[0]), "onnx.Add") if root is not None else None
    if over is None or plus is None or not (over.op == "onnx.Reciprocal" or _is_one(graph, over)):
        return None
    outer = _mean_over(graph, plus[0])
    square = made_by(graph, outer[0]) if outer is not None else None
    twice = square is not None and square.op == "onnx.Mul" and square.inputs[0] == square.inputs[1]
    if square is None or not (twice or (square.op == "onnx.Pow" and graph.number(square.inputs[1]) == 2)):
        return None
    minus = made_by(graph, square.inputs[0], "onnx.Sub")
    mean = _mean_over(graph, minus.inputs[1]) if minus is not None else None
    if minus is None or mean is None or outer is None or mean != (next(iter(minus.inputs)), outer[1]):
        return None
    return mean[0], mean[1], plus[1], scale


def _shift(graph: Graph, name: str, m: str, x: str) -> tuple[str, int] | None:
    """Of `bias - mean(x) * m`: the name of bias, or "", and the axis of the mean."""
    node, bias = made_by(graph, name), ""
    if node is not None and node.op in ("onnx.Add", "onnx.Sub"):
        bias = next((n for n in node.inputs if is_weight(graph, n)), "")
        rest = next(n for n in node.inputs if n != bias)
        negative = node.op == "onnx.Add"
        node = made_by(graph, rest) if negative or rest == node.inputs[1] else None
    else:
        negative = True
    if node is None or node.op != "onnx.Mul" or m not in node.inputs:
        return None
    mean = next((n for n in node.inputs if n != m), m)
    turned = made_by(graph, mean, "onnx.Neg")
    if negative != (turned is not None):
        return None
    found = _mean_over(graph, turned.inputs[0] if turned is not None else mean)
    return (bias, found[1]) if found is not None and found[0] == x else None


def _mean_over(graph: Graph, name: str) -> tuple[str, int] | None:
    """What a mean over one axis, kept, is of, and the axis."""
    node = made_by(graph, name)
    if node is None or node.op not in ("onnx.ReduceMean", "onnx.GlobalAveragePool"):
        return None
    x, *given = node.inputs
    rank = len(graph.shapes[x])
    if node.op == "onnx.GlobalAveragePool":
        return (x, 2) if rank == 3 else None
    axes: Any = graph.constants.get(given[0]) if given else node.get("axes")
    if axes is None or len(axes) != 1 or not node.get("keepdims", 1):
        return None
    return x, int(axes[0]) % rank


def _is_one(graph: Graph, node: Node) -> bool:
    return node.op == "onnx.Div" and graph.number(node.inputs[0]) == 1


def _without_unread(graph: Graph) -> None:
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    left = [node for node in graph.nodes if read & set(node.outputs)]
    again = len(left) < len(graph.nodes)
    graph.nodes = left
    if again:
        _without_unread(graph)
