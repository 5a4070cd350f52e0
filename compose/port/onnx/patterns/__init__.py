"""Operations that exporters write as several, found again."""

from __future__ import annotations

from compose.port.onnx.fold import Graph
from compose.port.onnx.patterns.attention import attention
from compose.port.onnx.patterns.dense import between_reshapes, linear
from compose.port.onnx.patterns.gates import gate, gelu, hard_sigmoid, log_sigmoid, softplus
from compose.port.onnx.patterns.norms import affine, layer_norm
from compose.port.onnx.patterns.shuffles import shuffle

PATTERNS = (
    shuffle, between_reshapes, linear, hard_sigmoid, gate, log_sigmoid, softplus, gelu, layer_norm, affine, attention,
    shuffle,
)  # fmt: skip


def simplified(graph: Graph) -> Graph:
    """The graph with what belongs together as one node."""
    for pattern in PATTERNS:
        for node in list(graph.nodes):
            if any(node is n for n in graph.nodes):
                pattern(graph, node)
    return graph
