"""Biases that follow a move of the value they belong to.

They stay here because the weight must be moved back, which needs the shapes of the file.
"""

from __future__ import annotations

import math

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import is_weight, own, replace

_CONVS = ("onnx.Conv", "onnx.ConvTranspose")


def after_conv(graph: Graph, node: Node) -> None:
    """A convolution without bias, perhaps transposed or squeezed, and a bias of each channel."""
    for i in (0, 1) if node.op == "onnx.Add" else ():
        value, bias = node.inputs[i], node.inputs[1 - i]
        conv = own(graph, value)
        channels = len(graph.shapes[node.outputs[0]]) - len(graph.shapes.get(bias, ()))
        if conv is None or not is_weight(graph, bias) or channels < 0:
            continue
        full = (1,) * channels + graph.shapes[bias]
        wide = [a for a, n in enumerate(full) if n != 1]
        if not wide and graph.shapes[bias]:  # of one channel
            wide = [a for a in range(len(full)) if a and graph.shapes[node.outputs[0]][a] == 1][:1]
        move = conv if conv.op in ("onnx.Transpose", "onnx.Squeeze") else None
        conv = own(graph, move.inputs[0]) if move is not None else conv
        if len(wide) != 1 or conv is None or conv.op not in _CONVS or len(conv.inputs) > 2:
            continue
        size = graph.shapes[conv.outputs[0]][1]
        if full[wide[0]] != size or _source_axis(graph, move, wide[0]) != 1:
            continue
        flat = f"{bias}/flat/{node.outputs[0]}"
        graph.shapes[flat] = (size,)
        reshape = node.but(op="onnx.Reshape", inputs=(bias,), outputs=(flat,), attributes={})
        if move is None:
            replace(graph, [conv, node], reshape, conv.but(inputs=(*conv.inputs, flat), outputs=node.outputs))
        else:
            moved = move.but(outputs=node.outputs)
            replace(graph, [conv, move, node], reshape, conv.but(inputs=(*conv.inputs, flat)), moved)
        return


def _source_axis(graph: Graph, move: Node | None, axis: int) -> int:
    """Where the axis was before the move."""
    if move is None:
        return axis
    before, after = graph.shapes[move.inputs[0]], graph.shapes[move.outputs[0]]
    if move.op == "onnx.Transpose":
        return move.get("perm", tuple(range(len(before)))[::-1])[axis]
    gone = [int(a) % len(before) for a in graph.constants.get(move.inputs[1], ())] if len(move.inputs) > 1 else []
    kept = [a for a in range(len(before)) if a not in gone]
    return kept[axis] if len(kept) == len(after) else -1


def after_reshape(graph: Graph, node: Node) -> None:
    """A product whose last axis is parted, and a bias of these parts: the bias first."""
    for i in (0, 1) if node.op == "onnx.Add" else ():
        value, bias = node.inputs[i], node.inputs[1 - i]
        parted = own(graph, value, "onnx.Reshape")
        product = own(graph, parted.inputs[0], "onnx.MatMul") if parted is not None else None
        if parted is None or product is None or not is_weight(graph, bias) or product.inputs[1] in graph.values:
            continue
        before, after = graph.shapes[parted.inputs[0]], graph.shapes[value]
        shape = graph.shapes[bias]
        while shape[:1] == (1,):
            shape = shape[1:]
        if math.prod(shape) != before[-1] or after != (*before[:-1], *shape) or len(shape) < 2:
            continue
        flat, summed = f"{bias}/flat", f"{node.outputs[0]}/flat"
        graph.shapes[flat], graph.shapes[summed] = before[-1:], before
        reshape = node.but(op="onnx.Reshape", inputs=(bias,), outputs=(flat,), attributes={})
        add = node.but(inputs=(product.outputs[0], flat), outputs=(summed,))
        replace(graph, [parted, node], reshape, add, parted.but(inputs=(summed,), outputs=node.outputs))
        return
