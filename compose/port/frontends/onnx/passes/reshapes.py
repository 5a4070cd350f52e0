"""Runs of reshapes and transpositions as one reshape, one transposition and one reshape at most.

They stay here because they decide the layout that the lowering chooses for a value.
"""

from __future__ import annotations

import math

from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.passes.graph_edit import made_by, once, replace

_MOVES = ("onnx.Reshape", "onnx.Transpose", "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Flatten")


def shuffle(graph: Graph, node: Node) -> None:
    """The run that ends with this node, in fewer nodes where it can be."""
    followed = next(iter(graph.readers(node.outputs[0])), None)
    ends = followed is None or followed.op not in _MOVES or not once(graph, node.outputs[0])
    if node.op not in _MOVES or not ends or node.inputs[0] not in graph.values:
        return
    run = [node]
    while True:
        before = made_by(graph, run[0].inputs[0])
        if before is None or before.op not in _MOVES or not once(graph, run[0].inputs[0]):
            break
        run.insert(0, before)
    if len(run) < 2:
        return
    moves = _Atoms(graph.shapes[run[0].inputs[0]])
    if all(moves.follow(graph, n) for n in run):
        made = moves.nodes(graph, run[0].inputs[0], node)
        if len(made) < len(run):
            replace(graph, run, *made)


class _Atoms:
    """Axes as runs of atoms, the parts that some reshape takes them apart into; atoms are numbered."""

    def __init__(self, shape: tuple[int, ...]):
        self.sizes = [n for n in shape if n != 1]
        self.start = [[i] for i in range(len(self.sizes))]
        atoms = iter(range(len(self.sizes)))
        self.axes = [[] if n == 1 else [next(atoms)] for n in shape]
        self.shape = shape

    def follow(self, graph: Graph, node: Node) -> bool:
        if node.op == "onnx.Transpose":
            order = node.get("perm", tuple(range(len(self.axes)))[::-1])
            self.axes = [self.axes[a] for a in order]
            return True
        return self._regroup(graph.shapes[node.outputs[0]])

    def _regroup(self, after: tuple[int, ...]) -> bool:
        flat = [atom for axis in self.axes for atom in axis]
        made: list[list[int]] = []
        for n in after:
            group: list[int] = []
            while n > 1:
                if not flat:
                    return False
                size = self.sizes[flat[0]]
                if n % size and size % n:
                    return False
                if size > n:
                    flat[:1] = self._split(flat[0], n)
                    continue
                n //= size
                group.append(flat.pop(0))
            made.append(group)
        self.axes = made
        return not flat

    def _split(self, atom: int, outer: int) -> list[int]:
        """An atom as two, everywhere."""
        inner = len(self.sizes)
        self.sizes.append(self.sizes[atom] // outer)
        self.sizes[atom] = outer
        for axis in (*self.start, *self.axes):
            if atom in axis:
                axis.insert(axis.index(atom) + 1, inner)
        return [atom, inner]

    def nodes(self, graph: Graph, x: str, last: Node) -> list[Node]:
        """The same moves as nodes, the last of which makes the value of `last`."""
        order = [atom for axis in self.start for atom in axis]
        final = [atom for axis in self.axes for atom in axis]
        steps: list[tuple[str, tuple[int, ...], dict]] = []
        apart, turned = (tuple(self.sizes[a] for a in atoms) for atoms in (order, final))
        after = tuple(math.prod(self.sizes[a] for a in axis) for axis in self.axes)
        if order == final:
            return self._emit(graph, x, last, [("onnx.Reshape", after, {})])
        if apart != self.shape:
            steps.append(("onnx.Reshape", apart, {}))
        steps.append(("onnx.Transpose", turned, {"perm": tuple(order.index(a) for a in final)}))
        if turned != after:
            steps.append(("onnx.Reshape", after, {}))
        return self._emit(graph, x, last, steps)

    def _emit(self, graph: Graph, x: str, last: Node, steps: list) -> list[Node]:
        made = []
        for i, (op, shape, attributes) in enumerate(steps):
            name = last.outputs[0] if i == len(steps) - 1 else f"{last.outputs[0]}/{i}"
            graph.shapes[name] = shape
            made.append(last.but(op=op, inputs=(x,), outputs=(name,), attributes=attributes))
            x = name
        return made
