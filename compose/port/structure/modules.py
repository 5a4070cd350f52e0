"""The source's modules as parts of the expression: those with one input and one output."""

from __future__ import annotations

from collections import Counter, defaultdict

from compose.combinators import choose
from compose.port.ir.graph import Body, Op
from compose.port.structure.module_names import CONTAINERS, leaf_label, scope_label
from compose.port.structure.piece import Piece, leaf
from compose.port.structure.reduce import Node, as_read, one_node, reduce


class Modules:
    """Contracts modules from the innermost outwards.

    Args:
        ops: all operations of the graph.
        many: whether a module that reads several values becomes a part too, as a `graph`.
    """

    def __init__(self, ops: list[Op], many: bool):
        self.many = many
        places: dict[str, set] = defaultdict(set)
        for op in ops:
            for i, cls in enumerate(op.classes):
                places[cls].add(op.path[: i + 1])
        self.times = {cls: len(paths) for cls, paths in places.items()}

    def region(self, ops: list[Op], depth: int, wanted: frozenset[int]) -> list[Node]:
        """The operations of one module, its modules contracted, reduced as far as they can be.

        `wanted` are the values that are read outside.
        """
        groups: dict[str, list[Op]] = defaultdict(list)
        for op in ops:
            if len(op.path) > depth:
                groups[op.path[depth]].append(op)
        nodes: list[Node] = []
        for name, group in groups.items():
            for call in _calls(group):
                nodes += self.module(name, call, ops, depth, wanted)
        nodes += [Node(self.leaf(op), op.inputs, op.output) for op in ops if len(op.path) <= depth]
        return reduce(as_read(nodes, [op.output for op in ops]), wanted)

    def module(self, name: str, call: list[Op], around: list[Op], depth: int, wanted: frozenset[int]) -> list[Node]:
        inside = {op.output for op in call}
        read = {v for op in around if op.output not in inside for v in op.inputs} | wanted
        exits = tuple(v for v in inside if v in read)
        entries = tuple(dict.fromkeys(v for op in call for v in op.inputs if v not in inside))
        if len(call) == 1:
            single = self.leaf(call[0])
            if len(call[0].path) > depth + 1:
                label = scope_label(name, *_around(call[0], depth)) if single.holds else ""
                single = single.but(label=label or single.label)
            return [Node(single, call[0].inputs, call[0].output)]
        nodes = self.region(call, depth + 1, frozenset(exits))
        one_way_in = len(entries) == 1 or (self.many and len(call) > 3 and any(op.weights for op in call))
        if len(exits) != 1 or not one_way_in or not _convex(call, around, entries, exits[0]):
            return nodes
        node = one_node(nodes, entries, exits[0])
        return [Node(self.titled(name, call[0], depth, node.piece), node.inputs, node.output)]

    def leaf(self, op: Op) -> Piece:
        """One operation; for a choice what its branches compute, each in its own structure."""
        if not op.bodies:
            return _leaf(op)
        ways = tuple(self.way(body, len(op.path)) for body in op.bodies)
        return Piece(choose(*(way.layer for way in ways)), ways)

    def way(self, body: Body, depth: int) -> Piece:
        nodes = self.region(list(body.ops), depth, frozenset({body.outputs}))
        return one_node(nodes, body.inputs, body.outputs).piece

    def titled(self, name: str, op: Op, depth: int, piece: Piece) -> Piece:
        cls, around = _around(op, depth)
        label = (scope_label(name, cls, around) if piece.holds else "") or piece.label
        own = cls if cls not in CONTAINERS else ""
        title = piece.title or own
        nested = name == "block" and any(kid.kids for kid in piece.kids)  # of modules, not of layers alone
        whole = piece.whole or bool(label) or nested or self.times.get(own, 0) > 1
        return piece.but(label=label, title=title, whole=whole)


def _around(op: Op, depth: int) -> tuple[str, str]:
    """The class of the module at a depth of an operation's path, and the name of the one around it."""
    return "".join(op.classes[depth : depth + 1]), "".join(op.path[max(depth - 1, 0) : depth])


def _leaf(op: Op) -> Piece:
    label = leaf_label(op.path[-1], op.layer, op.classes[-1] if op.classes else "") if op.path else ""
    return leaf(op, label if op.weights or op.state else "")


def _calls(group: list[Op]) -> list[list[Op]]:
    """The operations of a module by its calls: a module that runs twice reads its weights twice."""
    marks = Counter(tuple(view.source for view in op.views()) for op in group if op.weights)
    n = max(marks.values(), default=1)
    size = len(group) // n
    chunks = [group[i * size : (i + 1) * size] for i in range(n)]
    same = n * size == len(group) and all([op.layer for op in c] == [op.layer for op in chunks[0]] for c in chunks)
    if same and n > 1:
        return chunks
    loose = all(op.path == group[0].path for op in group) and not marks  # without weights, called in several places
    return [[op] for op in group] if loose else [group]


def _convex(call: list[Op], around: list[Op], entries: tuple[int, ...], exit: int) -> bool:
    """Whether no path leaves the call and enters it again."""
    inside = {op.output for op in call}
    after = {exit}
    for op in around:
        if op.output not in inside and any(v in after for v in op.inputs):
            after.add(op.output)
    return not any(v in after for v in entries)
