"""Equal blocks that read the same values beside what goes from one to the next become one `repeat` in their graph.

    graph(lambda x, mask: block()(block()(block()(x, mask), mask), mask))

is `repeat(3, block)`. What is left of the graph may then be in series and parallel.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax

from compose.combinators import repeat
from compose.core.plan import Plan, uses_scope
from compose.port.structure.piece import Piece
from compose.port.structure.reduce import Node, graph_of, one_node, reduce

SHORTEST = 3  # blocks that are worth a `repeat`


def repeat_chains(piece: Piece, plans: dict[str, Plan]) -> Piece:
    """The piece of a graph, with every chain of equal blocks of one shape as a `repeat`.

    `plans` are those of its steps by their keys.
    """
    net: Any = piece.layer
    nodes = [Node(kid, step.args, net.inputs + i) for i, (kid, step) in enumerate(zip(piece.kids, net.steps))]
    planned = {net.inputs + i: plans[key] for i, (key, _) in enumerate(net.children())}
    outputs = set(jax.tree.leaves(net.output))
    merged = _Chains(nodes, planned, outputs).merged()
    if len(merged) == len(nodes):
        return piece
    inputs = tuple(range(net.inputs))
    if isinstance(net.output, tuple):
        whole = graph_of(merged, inputs, net.output)
    else:
        whole = one_node(reduce(merged, frozenset(outputs)), inputs, net.output).piece
    return whole.but(layer=whole.layer.but(name=net.name), label=piece.label, title=piece.title or whole.title)


class _Chains:
    def __init__(self, nodes: list[Node], planned: dict[int, Plan], outputs: set[int]):
        self.nodes, self.planned = nodes, planned
        self.uses = Counter(v for node in nodes for v in node.inputs)
        self.uses.update(outputs)
        self.readers = {v: node for node in nodes for v in node.inputs[:1]}

    def merged(self) -> list[Node]:
        made: list[Node] = []
        done: set[int] = set()
        for node in self.nodes:
            if node.output in done:
                continue
            chain = self._from(node)
            if len(chain) < SHORTEST:
                made.append(node)
                continue
            blocks = tuple(link.piece for link in chain)
            made.append(Node(Piece(repeat(len(chain), blocks[0].layer), blocks), node.inputs, chain[-1].output))
            done.update(link.output for link in chain)
        return made

    def _from(self, first: Node) -> list[Node]:
        """The blocks from `first` on, each of which reads the output of the one before, and what all read."""
        plan = self.planned[first.output]
        chain, carried = [first], plan.x[0] if len(first.inputs) > 1 else plan.x
        if not first.piece.holds or plan.out != carried or uses_scope(first.piece.layer):
            return chain
        while self.uses[chain[-1].output] == 1:
            after = self.readers.get(chain[-1].output)
            if after is None or not self._continues(first, after):
                break
            chain.append(after)
        return chain

    def _continues(self, first: Node, after: Node) -> bool:
        same = after.piece.layer == first.piece.layer and after.inputs[1:] == first.inputs[1:]
        return same and self.planned[after.output].x == self.planned[first.output].x
