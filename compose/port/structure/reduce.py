"""Series-parallel reduction: nodes of a graph are merged until one is left or no rule applies.

Two rules, applied in the order in which the nodes run (Valdes, Tarjan & Lawler, The Recognition of Series
Parallel Digraphs, 1982): two nodes joined by a value that nothing else reads become a sequence; a node all of
whose inputs come from one value by separate paths becomes a branch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import jax

from compose.combinators import compose_seq
from compose.layers.take import at
from compose.port.structure.piece import NOTHING, Piece, any_graph, each_its_own, in_turn, side_by_side


@dataclass(frozen=True, eq=False)
class Node:
    """A piece between values."""

    piece: Piece
    inputs: tuple[int, ...]
    output: int


def reduce(nodes: list[Node], wanted: frozenset[int]) -> list[Node]:
    """The nodes merged as far as they can be; values in `wanted` are read elsewhere too."""
    return _Reduction(nodes, wanted).run(nodes)


class _Reduction:
    def __init__(self, nodes: list[Node], wanted: frozenset[int]):
        self.uses = Counter(v for node in nodes for v in node.inputs)
        self.uses.update(wanted)
        self.producers: dict[int, Node] = {}

    def run(self, nodes: list[Node]) -> list[Node]:
        for node in nodes:
            node = self.series(self.parallel(node))
            self.producers[node.output] = node
        return list(self.producers.values())

    def series(self, node: Node) -> Node:
        before = self.alone(node.inputs[0]) if len(node.inputs) == 1 else None
        if before is None:
            return node
        del self.producers[before.output]
        return Node(in_turn(before.piece, node.piece), before.inputs, node.output)

    def parallel(self, node: Node) -> Node:
        if len(node.inputs) < 2:
            return node
        ways = {v: self.alone(v) for v in node.inputs}
        starts = [w.inputs[0] for w in ways.values() if w is not None and len(w.inputs) == 1] + list(node.inputs)
        for start in dict.fromkeys(starts):
            parts = [self._way(start, v, ways[v]) for v in node.inputs]
            if all(part is not None for part in parts):
                for v in node.inputs:
                    self.producers.pop(v, None) if v != start else None
                self.uses[start] -= sum(1 for v in node.inputs) - 1
                pieces = tuple(part for part in parts if part is not None)
                return Node(side_by_side(pieces, node.piece), (start,), node.output)
        return node

    def alone(self, value: int) -> Node | None:
        """The node that computes a value read once, or None."""
        return self.producers.get(value) if self.uses[value] == 1 else None

    def _way(self, start: int, value: int, node: Node | None) -> Piece | None:
        if value == start:
            return NOTHING
        return node.piece if node is not None and node.inputs == (start,) else None


def one_node(nodes: list[Node], inputs: tuple[int, ...], output: int) -> Node:
    """All nodes as one: what is not series-parallel becomes a `graph`, as small as possible."""
    if not nodes and len(inputs) > 1:  # the output is one of the inputs
        return Node(Piece(at(str(inputs.index(output)))), inputs, output)
    nodes = _joined_inputs(nodes, inputs)
    if len(nodes) > 1:
        nodes = _joins_apart(nodes)
    pieces: list[Piece] = []
    entry, segment = inputs, []
    for i, node in enumerate(nodes):
        segment.append(node)
        live = {v for later in nodes[i + 1 :] for v in later.inputs} | {output}
        live &= {*inputs, *(n.output for n in nodes[: i + 1])}
        if live == {node.output}:
            pieces.append(_segment(segment, entry, node.output))
            entry, segment = (node.output,), []
    return Node(in_turn(*pieces), inputs, output)


def _joins_apart(nodes: list[Node]) -> list[Node]:
    """The nodes, with what follows a join as a separate node, since the join may belong to a `graph`."""
    split: list[Node] = []
    for node in nodes:
        loose = isinstance(node.piece.layer, compose_seq) and not node.piece.whole
        if len(node.inputs) > 1 and loose:
            between = -1 - node.output  # a value that no front end numbers
            split.append(Node(node.piece.kids[0], node.inputs, between))
            node = Node(in_turn(*node.piece.kids[1:]), (between,), node.output)
        split.append(node)
    return split


def _segment(nodes: list[Node], entry: tuple[int, ...], output: int) -> Piece:
    if len(nodes) == 1 and nodes[0].inputs == entry:
        return nodes[0].piece
    return graph_of(as_read(nodes, [output]), entry, output)


def graph_of(nodes: list[Node], inputs: tuple[int, ...], output: Any) -> Piece:
    """The nodes as the steps of one `graph`; its output is a value, or a tuple of them."""
    place = {v: i for i, v in enumerate((*inputs, *(n.output for n in nodes)))}
    steps = [(n.piece, tuple(place[v] for v in n.inputs)) for n in nodes]
    return any_graph(len(inputs), steps, jax.tree.map(lambda v: place[v], output))


def as_read(nodes: list[Node], outputs: list[int]) -> list[Node]:
    """The nodes in the order in which an expression of `outputs` names them, each after those it reads."""
    producers = {node.output: node for node in nodes}
    order: dict[int, Node] = {}
    stack = [(producers[v], iter(producers[v].inputs)) for v in reversed(outputs) if v in producers]
    while stack:
        node, inputs = stack[-1]
        needed = next((producers[v] for v in inputs if v in producers and v not in order), None)
        if needed is None:
            stack.pop()
            order.setdefault(node.output, node)
        else:
            stack.append((needed, iter(needed.inputs)))
    return list(order.values())


def _joined_inputs(nodes: list[Node], inputs: tuple[int, ...]) -> list[Node]:
    """Several inputs, each processed separately and then joined: `parallel` and the join."""
    if len(inputs) < 2:
        return nodes
    uses = Counter(v for node in nodes for v in node.inputs)
    producers = {node.output: node for node in nodes}
    for join in nodes:
        ways = [producers.get(v) for v in join.inputs]
        starts = tuple(v if way is None else way.inputs[0] for v, way in zip(join.inputs, ways))
        single = all(uses[v] == 1 for v in (*join.inputs, *starts))
        if starts == inputs and single and all(w is None or len(w.inputs) == 1 for w in ways):
            piece = in_turn(each_its_own(tuple(w.piece if w else NOTHING for w in ways)), join.piece)
            whole = Node(piece, inputs, join.output)
            return [whole if n is join else n for n in nodes if n is join or n not in ways]
    return nodes
