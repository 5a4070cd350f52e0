"""Convolutions whose zeros around the image stand in a node of their own."""

from __future__ import annotations

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import own, replace


def padded(graph: Graph, node: Node) -> None:
    """A convolution without padding of a value with zeros around it: one with padding."""
    pad = own(graph, node.inputs[0], "onnx.Pad") if node.op == "onnx.Conv" else None
    if pad is None or pad.get("mode", "constant") != "constant" or any(node.get("pads", ())):
        return
    x, wide, fill, axes = (*pad.inputs, "", "")[:4]
    if node.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or axes:
        return
    widths, rank = graph.constants.get(wide), len(graph.shapes[x])
    if widths is None or wide in graph.varying or (fill and graph.number(fill) != 0) or min(widths) < 0:
        return
    before, after = widths[:rank], widths[rank:]
    if any(before[:2]) or any(after[:2]):
        return
    attributes = {**node.attributes, "auto_pad": "NOTSET", "pads": tuple(map(int, (*before[2:], *after[2:])))}
    replace(graph, [pad, node], node.but(inputs=(x, *node.inputs[1:]), attributes=attributes))
