"""A front end is a lowering, rules and a reference: this one reads programs of an invented framework.

A program is a list of operations on one value: `("dense", "w", "b")`, `("relu",)`, `("add", "b")` or `("times", 2.0)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from compose import fc, relu
from compose.core.errors import PortError
from compose.port.ir.graph import SourceGraph
from compose.port.ir.weights import View
from compose.port.lowering.base import Place
from compose.port.lowering.binary import Arithmetic, binary
from compose.port.lowering.registry import Registry
from compose.port.lowering.values import BroadcastWeight, GraphValue
from compose.port.ported import Ported
from compose.port.proof.finite_differences import Differences

REGISTRY = Registry("tests.port.frontends")
Program = list[tuple]


@REGISTRY.rule("toy.dense")
def _dense(lowering, x, kernel, bias):
    weights = {"kernel": kernel.view, "bias": bias.view}
    return lowering.emit(fc(kernel.shape[1]), x, shape=(x.shape[0], kernel.shape[1]), weights=weights)


@REGISTRY.rule("toy.relu")
def _relu(lowering, x):
    return lowering.emit(relu, x)


@REGISTRY.rules("toy.add", "toy.times")
def _arithmetic(lowering, x, operand):
    return binary(lowering, {"add": "add", "times": "multiply"}[lowering.step[0]], x, operand)


class ToyLowering(Arithmetic[GraphValue]):
    example = "toy.name"

    def __init__(self, program: Program, arrays: dict[str, np.ndarray], x: np.ndarray):
        super().__init__()
        self.program, self.arrays = program, arrays
        self.value = self.input = GraphValue(self.new_index(), x.shape)
        self.step: tuple = ()

    def run(self) -> SourceGraph:
        for step in self.program:
            self.step = step
            rule = REGISTRY.named(f"toy.{self.step[0]}")
            if rule is None:
                self.lacks(f"toy.{self.step[0]}", self.location())
                continue
            with self.located():
                self.value = rule(self, self.value, *map(self.operand, self.step[1:]))
        self.refuse(partial=True)
        return SourceGraph((self.input.index,), tuple(self.ops), self.value.index, self.arrays, "Toy", (None,), (None,))

    def operand(self, x: Any) -> Any:
        return BroadcastWeight(View(x), self.arrays[x].shape, True, self.arrays[x].shape) if isinstance(x, str) else x

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def place(self) -> Place:
        return Place()

    def result(self, inputs: Sequence[GraphValue], shape: Any) -> GraphValue:
        return GraphValue(self.new_index(), self.shape if shape is None else shape)

    def is_shared(self, x: GraphValue) -> bool:
        return False

    def location(self) -> str:
        return f"step {self.program.index(self.step)}"


class ToyReference:
    """The program in NumPy; it has no gradients, so they are differences."""

    def __init__(self, program: Program, x: np.ndarray):
        self.program, self.x = program, x

    def inputs(self):
        return [self.x]

    def outputs(self, arrays, inputs):
        return [self.intermediates(arrays, inputs)[-1]]

    def intermediates(self, arrays, inputs):
        values = list(inputs)
        for name, *operands in self.program:
            x, (a, b) = values[-1], ([arrays.get(o, o) if isinstance(o, str) else o for o in operands] + [0, 0])[:2]
            run = {"dense": lambda: x @ a + b, "relu": lambda: np.maximum(x, 0), "add": lambda: x + a}  # noqa: B023
            values.append(run.get(name, lambda: x * a)())  # noqa: B023
        return values

    def gradients(self, arrays, inputs, seed):
        return Differences(self.outputs, arrays, inputs, seed)


def port_toy(program: Program, arrays: dict[str, np.ndarray], x: np.ndarray) -> Ported:
    reference: Any = ToyReference(program, x)
    return Ported.of(ToyLowering(program, arrays, x).run(), reference, "toy")


def test_a_front_end_needs_a_lowering_rules_and_a_reference(rng):
    shapes = {"w1": (4, 5), "b1": (5,), "w2": (5, 3), "b2": (3,), "shift": (3,)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    program: Program = [("dense", "w1", "b1"), ("relu",), ("dense", "w2", "b2"), ("times", 2.0), ("add", "shift")]
    port = port_toy(program, arrays, rng.normal(size=(6, 4)))
    assert str(port.net) == "compose_seq(fc(5, relu), fc(3), scale(by=2.0), learned_bias())"
    assert port.verify("gradients").ok


def test_operations_without_a_rule_are_listed(rng):
    with pytest.raises(PortError, match=r"toy.sine \(1×\), first at step 1"):
        port_toy([("relu",), ("sine",)], {}, rng.normal(size=(6, 4)))
