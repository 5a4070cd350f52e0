"""Parts of values in the fewest nodes: one place of an axis, and the two ways of a recurrent layer side by side."""

from __future__ import annotations

import numpy as np

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import made_by, own, replace

_RECURRENT = ("onnx.LSTM", "onnx.GRU", "onnx.RNN")


def place(graph: Graph, node: Node) -> None:
    """A slice of length one, squeezed: a gather of one place."""
    part = own(graph, node.inputs[0], "onnx.Slice") if node.op == "onnx.Squeeze" else None
    if part is None:
        return
    before, sliced, after = (graph.shapes[n] for n in (part.inputs[0], part.outputs[0], node.outputs[0]))
    cut = [a for a, (n, m) in enumerate(zip(before, sliced)) if n != m]
    if len(cut) != 1 or sliced[cut[0]] != 1 or after != tuple(n for a, n in enumerate(sliced) if a != cut[0]):
        return
    given = [graph.constants.get(name) for name in part.inputs[1:3]]
    if any(name in graph.varying for name in part.inputs[1:]) or given[0] is None or given[0].size != 1:
        return
    start = int(given[0].item())
    index = f"{node.outputs[0]}/place"
    graph.constants[index] = np.array(-1 if start % before[cut[0]] == before[cut[0]] - 1 else start, np.int64)
    graph.shapes[index] = ()
    made = node.but(op="onnx.Gather", inputs=(part.inputs[0], index), attributes={"axis": cut[0]})
    replace(graph, [part, node], made)


def _index(graph: Graph, name: str) -> int | None:
    number = graph.number(name)
    return None if number is None else int(number) % 2


def ways(graph: Graph, node: Node) -> None:
    """Both directions of a recurrent layer, split and concatenated again: the output of the layer."""
    if node.op != "onnx.Concat" or len(node.inputs) != 2:
        return
    picked = [made_by(graph, name, "onnx.Gather") for name in node.inputs]
    if any(p is None or p.get("axis", 0) != 1 or _index(graph, p.inputs[1]) != i for i, p in enumerate(picked)):
        return
    y = {p.inputs[0] for p in picked if p is not None}
    layer = made_by(graph, next(iter(y)))
    shape = graph.shapes[next(iter(y))]
    if len(y) != 1 or layer is None or layer.op not in _RECURRENT or node.get("axis") % 3 != 2 or shape[1] != 2:
        return
    replace(graph, [node], node.but(op="onnx.compose.Ways", inputs=(next(iter(y)),), attributes={}))
