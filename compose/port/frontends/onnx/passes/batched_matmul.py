"""Products of many matrices at once, whose leading axes exporters join for the product and part again."""

from __future__ import annotations

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import replace


def unjoined(graph: Graph, node: Node) -> None:
    """A product of `(batch · n, ..., ...)` as one of `(batch, n, ..., ...)`."""
    shape = graph.shapes[node.outputs[0]]
    batch = graph.shapes[graph.inputs[0]][:1]
    if node.op != "onnx.MatMul" or len(shape) != 3 or not batch or shape[0] % batch[0] or shape[0] == batch[0]:
        return
    sides = [graph.shapes[name] for name in node.inputs]
    if any(name not in graph.values or len(side) != 3 or side[0] != shape[0] for name, side in zip(node.inputs, sides)):
        return
    made, names = [], []
    for i, (name, side) in enumerate(zip((*node.inputs, None), (*sides, shape))):
        names.append(f"{node.outputs[0]}/apart{i}")
        graph.shapes[names[-1]] = (*batch, shape[0] // batch[0], *side[1:])
        if name is not None:
            made.append(node.but(op="onnx.Reshape", inputs=(name,), outputs=(names[-1],), attributes={}))
    product = node.but(inputs=tuple(names[:2]), outputs=(names[2],))
    replace(graph, [node], *made, product, node.but(op="onnx.Reshape", inputs=(names[2],), attributes={}))
