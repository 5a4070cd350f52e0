"""Values repeated along an axis, which exporters write as a new axis that is tiled and joined."""

from __future__ import annotations

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import made_by, once, own, replace


def repeated(graph: Graph, node: Node) -> None:
    """`reshape(tile(unsqueeze(x)))`, with a transposition before the reshape or without."""
    if node.op != "onnx.Reshape":
        return
    inner, order, gone = own(graph, node.inputs[0]), None, [node]
    if inner is not None and inner.op == "onnx.Transpose":
        order, gone, inner = inner.get("perm"), [inner, node], own(graph, inner.inputs[0])
    if inner is None or inner.op not in ("onnx.Tile", "onnx.Expand"):
        return
    before, after = graph.shapes[inner.inputs[0]], graph.shapes[inner.outputs[0]]
    wide = [a for a, (n, m) in enumerate(zip(before, after)) if n != m]
    if len(before) != len(after) or len(wide) != 1 or before[wide[0]] != 1 or made_by(graph, inner.inputs[0]) is None:
        return
    axes = [a for a in (order or range(len(after)))]
    at = axes.index(wide[0])
    if at < 2:
        return
    kept = [a for a in axes if a != wide[0]]
    turned = tuple(before[a] for a in kept)
    joined = (*turned[: at - 1], turned[at - 1] * after[wide[0]], *turned[at:])
    if graph.shapes[node.outputs[0]] != joined:
        return
    apart, moved = f"{node.outputs[0]}/one", f"{node.outputs[0]}/moved"
    graph.shapes[apart], graph.shapes[moved] = tuple(n for a, n in enumerate(before) if a != wide[0]), turned
    perm = tuple(sorted(kept).index(a) for a in kept)
    made = [
        node.but(op="onnx.Reshape", inputs=(inner.inputs[0],), outputs=(apart,), attributes={}),
        node.but(op="onnx.Transpose", inputs=(apart,), outputs=(moved,), attributes={"perm": perm}),
        node.but(op="onnx.compose.Repeat", inputs=(moved,), attributes={"times": {at - 1: after[wide[0]]}}),
    ]
    replace(graph, [inner, *gone], *made)


def along_both(graph: Graph, node: Node) -> None:
    """One axis after another."""
    if node.op != "onnx.compose.Repeat":
        return
    first = own(graph, node.inputs[0], "onnx.compose.Repeat")
    if first is not None and once(graph, node.inputs[0]):
        times = {**first.get("times"), **node.get("times")}
        replace(graph, [first, node], node.but(inputs=first.inputs, attributes={"times": times}))
