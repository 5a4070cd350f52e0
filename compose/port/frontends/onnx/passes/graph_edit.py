"""Query a graph for producers and readers of a value, and replace nodes."""

from __future__ import annotations

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node


def made_by(graph: Graph, name: str, op: str = "") -> Node | None:
    """The node that makes a value, if it is of that operation."""
    found = next((node for node in graph.nodes if name in node.outputs), None)
    return found if found is not None and (not op or found.op == op) else None


def once(graph: Graph, name: str) -> bool:
    """Whether a value is read in one place alone."""
    return sum(node.inputs.count(name) for node in graph.nodes) == 1 and name not in graph.outputs


def own(graph: Graph, name: str, op: str = "") -> Node | None:
    """The node that makes a value which is read once."""
    return made_by(graph, name, op) if once(graph, name) else None


def is_weight(graph: Graph, name: str) -> bool:
    """Whether a value depends on weights alone."""
    return bool(name) and name not in graph.constants and name not in graph.values


def with_number(graph: Graph, node: Node | None, op: str, number: float | None = None) -> tuple[str, float] | None:
    """The other operand and the number of a sum or product with a number, or a quotient by one."""
    if node is None or node.op != op or len(node.inputs) != 2:
        return None
    for i in (1, 0) if op in ("onnx.Add", "onnx.Mul") else (1,):
        found = graph.number(node.inputs[i])
        if found is not None and (number is None or abs(found - number) <= 1e-12 * abs(number)):
            return node.inputs[1 - i], found
    return None


def factors(graph: Graph, name: str, inner: bool = False) -> tuple[float, list[str], list[Node]]:
    """A product as its number, its other factors, and the nodes that multiply; quotients by numbers are taken in."""
    node = own(graph, name) if inner else made_by(graph, name)
    if node is None or node.op not in ("onnx.Mul", "onnx.Div"):
        return 1.0, [name], []
    if node.op == "onnx.Div":
        scaled = with_number(graph, node, "onnx.Div")
        if scaled is None:
            return 1.0, [name], []
        number, names, nodes = factors(graph, scaled[0], inner=True)
        return number / scaled[1], names, [*nodes, node]
    number, names, nodes = 1.0, [], []
    for part in node.inputs:
        value = graph.number(part)
        n, more, found = (value, [], []) if value is not None else factors(graph, part, inner=True)
        number, names, nodes = number * n, names + more, nodes + found
    return number, names, [*nodes, node]


def replace(graph: Graph, old: list[Node], *new: Node) -> None:
    """Replace the last of the old nodes by new ones."""
    for node in new:
        graph.follow(node)
    at = next(i for i, node in enumerate(graph.nodes) if node is old[-1])
    graph.nodes[at : at + 1] = new
    graph.nodes = [node for node in graph.nodes if not any(node is o for o in old[:-1])]
