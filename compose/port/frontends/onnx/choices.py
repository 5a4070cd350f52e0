"""If by data: its branches, read as graphs of their own, which see the values around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import onnx
from onnx import helper

from compose.core.errors import PortError
from compose.port.frontends.onnx.functions import Place, read_from_outside, written
from compose.port.frontends.onnx.model import Node, Way

Walk = Callable[[Any, Iterable[onnx.NodeProto]], None]


def ways_of(node: Node) -> list[onnx.GraphProto]:
    return [node.get("then_branch"), node.get("else_branch")]


def chosen(graph: Any, node: Node, walk: Walk) -> Node:
    """The node with its branches read, and with all that they read from around them among its inputs.

    Raises `PortError` if the results of the branches differ in shape or type.
    """
    ways = [_way(graph, node, i, way, walk) for i, way in enumerate(ways_of(node))]
    for name, *made in zip(node.outputs, *(way.outputs for way in ways)):
        if graph.vague.intersection(made):
            graph.vague.add(name)
        shapes, kinds = ([of(n) for n in made] for of in (lambda n: graph.shapes[n], lambda n: _kind(graph, n)))
        if shapes[0] != shapes[1] or kinds[0] != kinds[1]:
            raise PortError(
                f"two branches whose results have one shape and type, got {shapes} for {node.op} at {node.where}"
            )
        graph.shapes[name], graph.kinds[name] = shapes[0], kinds[0]
    made = {n for way in ways for inner in way.nodes for n in inner.outputs}
    read = [n for way in ways for n in (*(n for inner in way.nodes for n in inner.inputs), *way.outputs) if n]
    given = tuple(n for n in dict.fromkeys(read) if n not in made and n not in graph.constants)
    return node.but(inputs=(node.inputs[0], *given), ways=tuple(replace(way, given=given) for way in ways))


def _way(graph: Any, node: Node, i: int, way: onnx.GraphProto, walk: Walk) -> Way:
    """One way, its values renamed, since both may have the same names."""
    place = Place(f"{node.outputs[0]}/{'else' if i else 'then'}", node.name or "if", node.proto.metadata_props)
    names = {name: name for name in read_from_outside(way)}
    nodes = [written(inner, place, names, {}) for inner in way.node]
    around, graph.nodes = graph.nodes, []
    try:
        walk(graph, nodes)
        outputs = [names[o.name] for o in way.output]
        return Way(tuple(live(graph.nodes, outputs)), (), tuple(outputs))
    finally:
        graph.nodes = around


def live(nodes: list[Node], outputs: Iterable[str]) -> list[Node]:
    """The nodes that outputs depend on."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]


def inside(nodes: Iterable[Node]) -> Iterable[Node]:
    """The nodes, and those of the ways of choices among them."""
    for node in nodes:
        yield node
        for way in node.ways:
            yield from inside(way.nodes)


def _kind(graph: Any, name: str) -> int:
    return (
        helper.np_dtype_to_tensor_dtype(graph.constants[name].dtype) if name in graph.constants else graph.kinds[name]
    )
