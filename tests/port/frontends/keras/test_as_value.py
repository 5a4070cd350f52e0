"""Weights and constants of Keras models as outputs and as operands."""

from __future__ import annotations

import numpy as np
import pytest

from compose import parameter, port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")


@keras.saving.register_keras_serializable("tests")
class Table(keras.layers.Layer):
    """A weight, as `how` says."""

    def __init__(self, how, **options):
        super().__init__(**options)
        self.how = how

    def get_config(self):
        return {**super().get_config(), "how": self.how}

    def build(self, shape):
        self.table = self.add_weight(shape=(3, 4), name="table")

    def call(self, x):
        rows = self.table[None]
        if self.how == "for each example":
            return keras.ops.broadcast_to(rows, (keras.ops.shape(x)[0], 3, 4))
        if self.how == "twice":
            return keras.ops.broadcast_to(rows, (2, 3, 4))
        return keras.ops.transpose(self.table)


def model(how):
    x = keras.Input((5,))
    return keras.Model(x, [Table(how)(x), x * 2])


@pytest.mark.parametrize(
    ("how", "layer"), [("transposed", parameter(4, 3, batch=False)), ("for each example", parameter(3, 4))]
)
def test_weights(how, layer):
    p = port.from_keras(model(how))
    assert str(layer) in str(p.net)
    p.verify("gradients")


def test_a_weight_repeated_otherwise_is_refused():
    with pytest.raises(PortError, match=r"the weight table_?\w*/table of shape \(1, 3, 4\) repeated to \(2, 3, 4\)"):
        port.from_keras(model("twice"))


OPERANDS = {
    "where": lambda row, one, x: keras.ops.where(x > 0, x, row) + one,
    "where, first": lambda row, one, x: keras.ops.where(x > 0, row, x) + one,
    "where, one number": lambda row, one, x: keras.ops.where(x > 0, x, one) * row,
    "where, both": lambda row, one, x: keras.ops.where(x > 0, one, row),
    "where, constants": lambda row, one, x: keras.ops.where(x > 0, x, CONSTANTS) * row + one,
    "less than a row": lambda row, one, x: keras.ops.where(x < row, x, 0.1 * x) + one,
    "a number is greater": lambda row, one, x: keras.ops.where(one > x, x, 0.1 * x) * row,
    "greater than constants": lambda row, one, x: keras.ops.where(x > CONSTANTS, x, 0.1 * x) * row + one,
    "maximum": lambda row, one, x: keras.ops.maximum(x, row) + one,
    "minimum, one number": lambda row, one, x: keras.ops.minimum(one, x) * row,
    "maximum of constants": lambda row, one, x: keras.ops.maximum(x, CONSTANTS) * row + one,
    "clipped by what is computed": lambda row, one, x: keras.ops.clip(x, -keras.ops.max(x), 1.0) * row + one,
}
CONSTANTS = np.array([0.1, -0.2, 0.3, 0.0], "float32")


@keras.saving.register_keras_serializable("tests")
class Operand(keras.layers.Layer):
    """An operation that uses both weights."""

    def __init__(self, operation, **options):
        super().__init__(**options)
        self.operation = operation

    def get_config(self):
        return {**super().get_config(), "operation": self.operation}

    def build(self, shape):
        self.row, self.one = self.add_weight(shape=(4,), name="row"), self.add_weight(shape=(), name="one")

    def call(self, x):
        row, one = (keras.ops.convert_to_tensor(w) for w in (self.row, self.one))  # as where needs it on JAX
        return OPERANDS[self.operation](row, one, x)

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize("operation", OPERANDS)
def test_operands(operation):
    x = keras.Input((4,))
    port.from_keras(keras.Model(x, Operand(operation)(x))).verify("gradients")
