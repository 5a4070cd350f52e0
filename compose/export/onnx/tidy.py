"""What makes the graph shorter without another result: layouts that cancel, nodes that nothing reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

from onnx import helper

from compose.export.onnx.graph import Graph, Value

# Nodes of one input, to the elements of which it is the same in which order they lie.
ELEMENTWISE = {
    "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Softsign", "HardSigmoid", "HardSwish",
    "Mish", "Gelu", "Swish", "Exp", "Log", "Sqrt", "Abs", "Neg", "Erf", "ThresholdedRelu", "Shrink", "Identity",
}  # fmt: skip


def tidied(graph: Graph, inputs: list[Value], outputs: list[Value]) -> None:
    """Shorten the graph in place."""
    _later(graph)
    _without_idle(graph, {o.name for o in outputs})
    _live(graph, [o.name for o in outputs])


def _later(graph: Graph) -> None:
    """Move transpositions behind the nodes that take each element by itself, where they meet their inverse."""
    makers = {name: node for node in graph.nodes for name in node.output}
    uses = _uses(graph)
    for node in graph.nodes:
        source = makers.get(node.input[0]) if node.input else None
        if node.op_type in ELEMENTWISE and source is not None and source.op_type == "Transpose":
            if uses[source.output[0]] != 1:
                continue
            before, between, after = source.input[0], source.output[0], node.output[0]
            source.op_type, node.op_type = node.op_type, source.op_type
            own, other = list(source.attribute), list(node.attribute)
            del source.attribute[:], node.attribute[:]
            source.attribute.extend(other)
            node.attribute.extend(own)
            source.name, node.name = node.name, source.name
            assert list(source.input) == [before] and list(node.output) == [after] and node.input[0] == between


def _without_idle(graph: Graph, results: set[str]) -> None:
    """Two transpositions as one or none, and identities as their input."""
    makers = {name: node for node in graph.nodes for name in node.output}
    same: dict[str, str] = {}
    for node in graph.nodes:
        for i, name in enumerate(node.input):
            if name in same:
                node.input[i] = same[name]
        if node.op_type == "Transpose":
            source = makers.get(node.input[0])
            order = list(helper.get_attribute_value(node.attribute[0]))
            if source is not None and source.op_type == "Transpose":
                first = list(helper.get_attribute_value(source.attribute[0]))
                order = [first[i] for i in order]
                node.input[0] = source.input[0]
                node.attribute[0].CopyFrom(helper.make_attribute("perm", order))
            if order == list(range(len(order))):
                if node.output[0] in results:
                    node.op_type = "Identity"
                    del node.attribute[:]
                else:
                    same[node.output[0]] = node.input[0]
        elif node.op_type == "Identity" and node.output[0] not in results:
            same[node.output[0]] = node.input[0]
    _renamed_results(graph, results)


def _renamed_results(graph: Graph, results: set[str]) -> None:
    """A result that is an identity of a node that nothing else reads, as the output of that node."""
    makers = {name: node for node in graph.nodes for name in node.output}
    uses = _uses(graph)
    for node in list(graph.nodes):
        if node.op_type != "Identity" or node.output[0] not in results:
            continue
        source = makers.get(node.input[0])
        if source is None or uses[node.input[0]] != 1 or node.input[0] in results:
            continue
        place = list(source.output).index(node.input[0])
        source.output[place] = node.output[0]
        graph.nodes.remove(node)


def _live(graph: Graph, results: list[str]) -> None:
    """Only the nodes and weights that the results need."""
    used = set(results)
    kept = []
    for node in reversed(graph.nodes):
        if used & set(node.output):
            kept.append(node)
            used.update(_inputs(node))
    graph.nodes[:] = kept[::-1]
    for name in [n for n in graph.arrays if n not in used]:
        del graph.arrays[name]


def _inputs(node: Any) -> list[str]:
    """What a node reads, also from within the body of a loop."""
    names = [n for n in node.input if n]
    for attribute in node.attribute:
        for inner in attribute.g.node if attribute.HasField("g") else ():
            names += _inputs(inner)
    return names


def _uses(graph: Graph) -> Counter:
    return Counter(name for node in graph.nodes for name in _inputs(node))
