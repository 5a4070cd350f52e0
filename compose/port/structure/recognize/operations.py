"""The operations of a graph, with who computes and who reads each value."""

from __future__ import annotations

from collections import Counter

from compose.core.function import Function
from compose.port.ir.graph import Op
from compose.port.structure.recognize.shapes import Shapes


class Operations:
    """A list of operations with who computes and who reads each value.

    Args:
        ops: in an order in which they can run.
        output: the value that the graph returns.
        shapes: of its values.
    """

    def __init__(self, ops: list[Op], output: int, shapes: Shapes):
        self.ops, self.output, self.shapes = ops, output, shapes
        self.producers = {op.output: op for op in ops}
        self.readers = Counter(v for op in ops for v in op.inputs)
        self.readers[output] += 1
        self.readers_of = {v: op for op in ops for v in op.inputs}
        self.uses = Counter(view.source for op in ops for view in op.views())
        self.count = max((v for op in ops for v in (op.output, *op.inputs)), default=0)
        self.same: dict[int, int] = {}  # values computed alike, as the first of them
        first: dict[tuple, int] = {}
        for op in ops:
            key = (op.layer, tuple(self.same.get(v, v) for v in op.inputs))
            alike = isinstance(op.layer, Function)
            self.same[op.output] = first.setdefault(key, op.output) if alike else op.output

    def but(self, ops: list[Op]) -> Operations:
        """The same graph with other operations."""
        return Operations(ops, self.output, self.shapes)

    def shape(self, value: int) -> tuple[int, ...] | None:
        """The shape of a value, or None where it is not known."""
        return self.shapes.of(value, self.producers)

    def fresh(self) -> int:
        """A number that no value has."""
        self.count += 1
        return self.count

    def reader(self, value: int) -> Op | None:
        """The operation that reads a value, if there is one and nothing else reads it."""
        reader = self.readers_of.get(value)
        return reader if self.readers[value] == 1 else None

    def shared(self, op: Op) -> bool:
        """Whether the weights of an operation are used by others too, which may have other neighbours."""
        return any(self.uses[view.source] > 1 for view in op.views())

    def closed(self, ops: frozenset[int] | set[int], root: int) -> bool:
        """Whether of these operations only the root is read elsewhere."""
        inside = Counter(v for o in ops for v in self.producers[o].inputs)
        return all(inside[o] == self.readers[o] for o in ops if o != root)
