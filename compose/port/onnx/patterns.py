"""Operations that exporters write as several, found again."""

from __future__ import annotations

from compose.port.onnx.fold import Graph
from compose.port.onnx.model import Node


def simplified(graph: Graph) -> Graph:
    """The graph with what belongs together as one node."""
    for pattern in PATTERNS:
        for node in list(graph.nodes):
            pattern(graph, node)
    return graph


def _linear(graph: Graph, node: Node) -> None:
    """`MatMul` and the `Add` of a bias."""
    if node.op != "onnx.Add":
        return
    for i in (0, 1):
        product, bias = made_by(graph, node.inputs[i]), node.inputs[1 - i]
        fits = product is not None and product.op == "onnx.MatMul" and once(graph, node.inputs[i])
        if fits and product.inputs[1] in graph.shapes and len(graph.shapes[product.inputs[1]]) == 2:
            size = graph.shapes[product.inputs[1]][1]
            if is_weight(graph, product.inputs[1]) and is_weight(graph, bias) and _wide(graph.shapes[bias]) == (size,):
                inputs = (*product.inputs, bias)
                replace(
                    graph, [product, node], product.but(op="onnx.compose.Linear", inputs=inputs, outputs=node.outputs)
                )
                return


def _gate(graph: Graph, node: Node) -> None:
    """`x * sigmoid(x)` and `x * tanh(softplus(x))`."""
    if node.op != "onnx.Mul":
        return
    for x, y in (node.inputs, node.inputs[::-1]):
        found = chain(graph, y, "onnx.Sigmoid") or chain(graph, y, "onnx.Tanh", "onnx.Softplus")
        if found and found[0].inputs[0] == x:
            op = "onnx.compose.Silu" if len(found) == 1 else "onnx.Mish"
            replace(graph, [*found, node], node.but(op=op, inputs=(x,)))
            return


def _log_sigmoid(graph: Graph, node: Node) -> None:
    found = chain(graph, node.outputs[0], "onnx.Log", "onnx.Sigmoid", last=True)
    if found:
        replace(graph, found, node.but(op="onnx.compose.LogSigmoid", inputs=found[0].inputs))


def _wide(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape[:1] == (1,) and len(shape) > 1:
        shape = shape[1:]
    return shape


PATTERNS = [_linear, _gate, _log_sigmoid]


def chain(graph: Graph, name: str, *ops: str, last: bool = False) -> list[Node] | None:
    """The nodes of these operations, the last first, that make a value one from the other; in the order they run.

    Each value between is read once, the last one too unless `last` says that it may be read anywhere.
    """
    found: list[Node] = []
    for op in ops:
        node = made_by(graph, name)
        if node is None or node.op != op or not (once(graph, name) or (last and not found)):
            return None
        found.insert(0, node)
        name = node.inputs[0]
    return found


def made_by(graph: Graph, name: str) -> Node | None:
    """The node that makes a value."""
    return next((node for node in graph.nodes if name in node.outputs), None)


def once(graph: Graph, name: str) -> bool:
    """Whether a value is read in one place alone."""
    return sum(node.inputs.count(name) for node in graph.nodes) == 1 and name not in graph.outputs


def is_weight(graph: Graph, name: str) -> bool:
    """Whether a value depends on weights alone."""
    if name in graph.weights:
        return True
    node = made_by(graph, name)
    known = lambda n: n in graph.constants or is_weight(graph, n)
    return node is not None and any(is_weight(graph, n) for n in node.inputs) and all(map(known, node.inputs))


def replace(graph: Graph, old: list[Node], *new: Node) -> None:
    """New nodes in the place of the last of the old."""
    at = graph.nodes.index(old[-1])
    graph.nodes[at : at + 1] = new
    graph.nodes = [node for node in graph.nodes if not any(node is o for o in old)]
