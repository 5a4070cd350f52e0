"""Operations that exporters write as several, found again."""

from __future__ import annotations

from compose.port.onnx.fold import Graph
from compose.port.onnx.patterns.attention import attention
from compose.port.onnx.patterns.batched import unjoined
from compose.port.onnx.patterns.biases import after_conv, after_reshape
from compose.port.onnx.patterns.dense import between_reshapes, linear
from compose.port.onnx.patterns.gates import gate, gelu, hard_sigmoid, log_sigmoid, softplus
from compose.port.onnx.patterns.idle import without_idle
from compose.port.onnx.patterns.norms import affine, layer_norm, shifted_norm
from compose.port.onnx.patterns.picks import place, ways
from compose.port.onnx.patterns.repeats import along_both, repeated
from compose.port.onnx.patterns.shuffles import shuffle
from compose.port.onnx.patterns.windows import padded

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
