"""Values beside constants and variables that are longer along an axis."""

from __future__ import annotations

import keras
import pytest
from keras import ops

from compose import port
from tests.port.frontends.keras.custom_models import Own, own
from tests.port.frontends.wide_operands import KERNEL, WIDE, operations

constant = keras.initializers.Constant


@own
class Wide(Own):
    """All operations on a value and numbers or a variable."""

    def build(self, shape):
        self.k = self.add_weight(shape=KERNEL.shape, initializer=constant(KERNEL), name="k")
        if self.args[0] == "variables":
            self.v = self.add_weight(shape=WIDE.shape, initializer=constant(WIDE), name="v")

    def call(self, x):
        kinds = {"numbers": lambda: ops.full((4, 1), 0.7), "numbers like the input": lambda: ops.full_like(x, 0.7)}
        wide = self.v * 1.0 if self.args[0] == "variables" else kinds[self.args[0]]()
        a = ops.mean(ops.matmul(x, self.k), 1, keepdims=True)
        return operations(a, wide, lambda part: ops.sum(part, 1), ops.maximum, ops.minimum, ops.where)


@pytest.mark.parametrize("name", ["numbers", "numbers like the input", "variables"])
def test_each_operation_repeats_the_value(name):
    x = keras.Input((4, 6))
    assert port.from_keras(keras.Model(x, Wide(name)(x))).verify("step").ok
