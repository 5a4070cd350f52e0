"""Linear maps.

They stay here because the reshapes around a product are undone before the lowering, with the bias in place by then.
"""

from __future__ import annotations

import math

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import is_weight, own, replace

_PRODUCTS = ("onnx.Gemm", "onnx.MatMul", "onnx.compose.Linear")


def linear(graph: Graph, node: Node) -> None:
    """`MatMul` and the `Add` of a bias."""
    for i in (0, 1) if node.op == "onnx.Add" else ():
        product, bias = own(graph, node.inputs[i], "onnx.MatMul"), node.inputs[1 - i]
        if product is None or product.inputs[0] not in graph.values or not is_weight(graph, product.inputs[1]):
            continue
        matrix, shape = graph.shapes[product.inputs[1]], graph.shapes[bias]
        if len(matrix) == 2 and is_weight(graph, bias) and shape[-1:] == matrix[1:] and math.prod(shape) == matrix[1]:
            made = product.but(op="onnx.compose.Linear", inputs=(*product.inputs, bias), outputs=node.outputs)
            replace(graph, [product, node], made)
            return


def between_reshapes(graph: Graph, node: Node) -> None:
    """A product of a matrix with rows that were joined for it and are parted again: the product over the last axis."""
    product = own(graph, node.inputs[0]) if node.op == "onnx.Reshape" else None
    if product is None or product.op not in _PRODUCTS or not is_weight(graph, product.inputs[1]):
        return
    joined = own(graph, product.inputs[0], "onnx.Reshape")
    if joined is None or joined.inputs[0] not in graph.values:
        return
    before, after = graph.shapes[product.inputs[0]], graph.shapes[node.outputs[0]]
    made = graph.shapes[product.outputs[0]]
    if len(before) != 2 or after[-1] != made[1] or math.prod(after[:-1]) != before[0]:
        return
    given = joined.inputs[0]
    kept = []
    if graph.shapes[given] != (*after[:-1], before[1]):
        kept = [joined]
        graph.shapes[joined.outputs[0]] = (*after[:-1], before[1])
        given = joined.outputs[0]
    gone = [product, node] if kept else [joined, product, node]
    replace(graph, gone, product.but(inputs=(given, *product.inputs[1:]), outputs=node.outputs))
