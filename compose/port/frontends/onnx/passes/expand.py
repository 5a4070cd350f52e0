"""Operations of other domains as those of ONNX's own that they stand for: scikit-learn's, and onnxruntime's fused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from compose.core.errors import PortError

Expansion = Callable[["Writer", onnx.NodeProto, dict[str, Any]], None]
_expansions: dict[str, Expansion] = {}


class Writer:
    """The nodes and initialisers that come in the place of one node."""

    def __init__(self, graph: onnx.GraphProto, node: onnx.NodeProto):
        self.graph, self.node, self.nodes, self.count = graph, node, [], 0

    def add(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """One operation on these inputs: the name of what it makes."""
        name = to or self._fresh()
        path = f"{self.node.name}/{op}" if self.node.name else ""
        self.nodes.append(helper.make_node(op, inputs, [name], name=path, **attributes))
        return name

    def array(self, array: Any, label: str = "") -> str:
        """An initialiser: a weight where it is labelled, a constant where it is not."""
        name = f"{self.node.name or self.node.op_type}.{label}" if label else self._fresh()
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _fresh(self) -> str:
        self.count += 1
        return f"{self.node.output[0]}/{self.count}"


def expansion(*operations: str) -> Callable[[Expansion], Expansion]:
    """How operations, `domain.Name`, are written in others."""

    def add(fn: Expansion) -> Expansion:
        _expansions.update(dict.fromkeys(operations, fn))
        return fn

    return add


def expanded(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in ONNX's own operations, where it is known how.

    Raises `PortError` for a form of such an operation that is not.
    """
    import compose.port.frontends.onnx.passes.expand_fused
    import compose.port.frontends.onnx.passes.expand_learn  # noqa: F401, which register what they know

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, nodes = made.graph, []
    for node in model.graph.node:
        fn = _expansions.get(f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type)
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
