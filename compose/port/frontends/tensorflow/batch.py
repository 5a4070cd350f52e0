"""A graph for a batch of any size: the graph for one size compared with that for another."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.port.frontends.tensorflow.constant_folding import Known
from compose.port.frontends.tensorflow.float64.graph import Exact
from compose.port.lowering.batch import BatchNumber, alike, batch_number, follows, other_operations, refuse_size

_ARITHMETIC = ("Mul", "RealDiv", "Div", "Add", "AddV2", "Sub")  # whose rules know a number that follows from the batch
_BEGINS = ("StridedSlice", "Slice")  # whose second input says where they begin


class FreeBatch:
    """Which constants of a graph follow from the size of the batch.

    Attributes:
        numbers: those that are one number, by the `id` of their array.
    """

    def __init__(self, exact: Exact, second: Exact):
        self.sizes = exact.batch, second.batch
        self.graph = second.imported()
        self.known = Known(self.graph)
        self.numbers: dict[int, BatchNumber] = {}
        self._others: dict[str, np.ndarray | None] = {}
        self._alike: dict[str, np.ndarray] = {}
        nodes, others = exact.graph.node, second.graph.node
        if [node.op for node in nodes] != [node.op for node in others]:
            raise PortError(other_operations("tf.map_fn"))
        self._twins = {node.name: other.name for node, other in zip(nodes, others)}

    def alike(self, tensor: Any, value: np.ndarray) -> np.ndarray:
        """The constant; one that only has the size of the batch is one of its examples, repeated."""
        if tensor.name not in self._alike:
            name, _, place = tensor.name.rpartition(":")
            other = self.known.value(self.graph.get_tensor_by_name(f"{self._twins[name]}:{place}"))
            made = None if other is None else alike(value, other)
            self._alike[tensor.name] = value if made is None else made
            self._others[tensor.name] = other if made is None else None
            number = None if made is not None or other is None else batch_number(value, other, *self.sizes)
            if number is not None:
                self.numbers[id(value)] = number
        return self._alike[tensor.name]

    def varies(self, tensor: Any, value: np.ndarray | None) -> bool:
        """Whether a constant, of which `alike` was asked, has other numbers for another batch."""
        return value is not None and self._others.get(tensor.name) is not None

    def corrects(self, tensor: Any, value: np.ndarray) -> bool:
        """Whether a constant that varies is `n / (n - 1)` of a batch's numbers, the correction of a variance."""
        other = self._others.get(tensor.name)
        if other is None or value.size != 1 or other.size != 1 or 1 in (value.item(), other.item()):
            return False
        counts = [v.item() / (v.item() - 1) / size for v, size in zip((value, other), self.sizes)]
        return counts[0] > 0.5 and np.allclose(counts, round(counts[0]), rtol=1e-6)

    def check(self, op: Any, facts: Any) -> None:
        """Raise `PortError` for an operation that reads numbers which follow from the batch, and cannot say so."""
        for i, tensor in enumerate(op.inputs):
            value = facts.constant(tensor)
            if value is None or not self.varies(tensor, value):
                continue
            other: Any = self._others[tensor.name]
            number = id(value) in self.numbers
            if op.type in _ARITHMETIC and number:
                continue
            whole = np.issubdtype(value.dtype, np.integer) and value.shape == other.shape and value.ndim < 2
            follow = whole and all(follows(int(a), int(b), *self.sizes) for a, b in zip(value.ravel(), other.ravel()))
            if op.type in _ARITHMETIC or not follow or (op.type in _BEGINS and i == 1):
                raise refuse_size(f"numbers for {op.type}")

    def close(self) -> None:
        self.known.close()
