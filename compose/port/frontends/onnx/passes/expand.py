"""Operations of other domains (scikit-learn's, and those that onnxruntime fuses) expanded into ONNX's own."""

from __future__ import annotations

import onnx
from onnx import helper

from compose.core.errors import PortError
from compose.port.frontends.onnx.passes import expand_fused, expand_learn  # noqa: F401, which register expansions
from compose.port.frontends.onnx.passes.expansion import EXPANSIONS, Writer


def expanded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in ONNX's own operations, where it is known how.

    Raises `PortError` for a form of such an operation that is not.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, nodes = made.graph, []
    for node in model.graph.node:
        fn = EXPANSIONS.get(f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type)
        if fn is None:
            nodes.append(node)
            continue
        writer = Writer(graph, node)
        try:
            fn(writer, node, {a.name: helper.get_attribute_value(a) for a in node.attribute})
        except PortError as e:
            e.add_note(f"at node {node.name or '(unnamed)'} ({node.domain or 'onnx'}.{node.op_type})")
            raise
        nodes.extend(writer.nodes)
    del graph.node[:]
    graph.node.extend(nodes)
    return made
