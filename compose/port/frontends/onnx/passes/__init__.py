"""Operations that exporters write as several, found again."""

from __future__ import annotations

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.passes.activations import gate, gelu, hard_sigmoid, log_sigmoid, softplus
from compose.port.frontends.onnx.passes.attention import attention
from compose.port.frontends.onnx.passes.batched_matmul import unjoined
from compose.port.frontends.onnx.passes.biases import after_conv, after_reshape
from compose.port.frontends.onnx.passes.conv_padding import padded
from compose.port.frontends.onnx.passes.dense import between_reshapes, linear
from compose.port.frontends.onnx.passes.identities import without_idle
from compose.port.frontends.onnx.passes.norms import affine, layer_norm, shifted_norm
from compose.port.frontends.onnx.passes.reshapes import shuffle
from compose.port.frontends.onnx.passes.selections import place, ways
from compose.port.frontends.onnx.passes.tiling import along_both, repeated

PATTERNS = (
    place, ways, repeated, unjoined, shuffle, along_both, padded, after_conv, between_reshapes, linear, after_reshape,
    linear, hard_sigmoid, gate, log_sigmoid, softplus, gelu, layer_norm, shifted_norm, affine, attention, shuffle,
)  # fmt: skip


def simplified(graph: Graph) -> Graph:
    """The graph with what belongs together as one node."""
    without_idle(graph)
    for pattern in PATTERNS:
        for node in list(graph.nodes):
            if any(node is n for n in graph.nodes):
                pattern(graph, node)
        without_idle(graph)
    return graph
