"""Operations that exporters write as several, as one node, where the lowered words would lose what tells.

These are weights in another shape or layout, batches joined with another axis, and constants that depend on the batch.
What is left is recognised after the lowering.
"""

from __future__ import annotations

from dataclasses import replace

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Way
from compose.port.frontends.onnx.passes.activations import softplus
from compose.port.frontends.onnx.passes.attention import attention
from compose.port.frontends.onnx.passes.batched_matmul import unjoined
from compose.port.frontends.onnx.passes.biases import after_conv, after_reshape
from compose.port.frontends.onnx.passes.conv_padding import padded
from compose.port.frontends.onnx.passes.dense import between_reshapes, linear
from compose.port.frontends.onnx.passes.identities import without_idle
from compose.port.frontends.onnx.passes.norms import shifted_norm
from compose.port.frontends.onnx.passes.reshapes import shuffle
from compose.port.frontends.onnx.passes.selections import place, ways
from compose.port.frontends.onnx.passes.tiling import along_both, repeated

PATTERNS = (
    place, ways, repeated, unjoined, shuffle, along_both, padded, after_conv, between_reshapes, linear, after_reshape,
    linear, softplus, shifted_norm, attention, shuffle,
)  # fmt: skip


def simplified(graph: Graph) -> Graph:
    """The graph with what belongs together as one node."""
    without_idle(graph)
    for pattern in PATTERNS:
        for node in list(graph.nodes):
            if any(node is n for n in graph.nodes):
                pattern(graph, node)
        without_idle(graph)
    graph.nodes = [node.but(ways=tuple(_simplified(graph, way) for way in node.ways)) for node in graph.nodes]
    return graph


def _simplified(graph: Graph, way: Way) -> Way:
    within = simplified(replace(graph, nodes=list(way.nodes), outputs=list(way.outputs)))
    return replace(way, nodes=tuple(within.nodes), outputs=tuple(within.outputs))
