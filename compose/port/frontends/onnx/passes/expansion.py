"""How a node of another domain is written in ONNX's own operations: a registry of expansions, and what they write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Expansion = Callable[["Writer", onnx.NodeProto, dict[str, Any]], None]
EXPANSIONS: dict[str, Expansion] = {}


class Writer:
    """The nodes and initialisers that replace one node."""

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
        EXPANSIONS.update(dict.fromkeys(operations, fn))
        return fn

    return add
