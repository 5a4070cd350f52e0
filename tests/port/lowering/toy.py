"""A front end of nothing but a shape, whose rules are the tests."""

from __future__ import annotations

from compose.port.lowering.base import Place
from compose.port.lowering.binary import Arithmetic
from compose.port.lowering.values import GraphValue


class Toy(Arithmetic[GraphValue]):
    example = "'toy.name'"
    shape = (7, 3)
    shared = False

    def place(self):
        return Place(("block",), ("Block",), "model.py:1")

    def result(self, inputs, shape):
        return GraphValue(self.new_index(), self.shape if shape is None else tuple(shape))

    def location(self):
        return "at model.py:1"

    def is_shared(self, x):
        return self.shared

    def input(self):
        return GraphValue(self.new_index(), self.shape)

    def layers(self):
        return [str(op.layer) for op in self.ops]
