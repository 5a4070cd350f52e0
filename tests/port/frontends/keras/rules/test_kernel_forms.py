"""Convolutions that a custom layer calls: by kernels as stored, by parts of these, turned, or shared by two layers."""

from __future__ import annotations

import pytest

from compose import port
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
ops = keras.ops


def turned(kernel):
    return ops.transpose(kernel, (0, 1, 3, 2))


STORED = {
    "conv": lambda m, x: ops.conv(x, m.k, 2, "same"),
    "depthwise": lambda m, x: ops.depthwise_conv(x, m.k, 2, "same"),
    "transposed": lambda m, x: ops.conv_transpose(x, m.k, 2, "same"),
    "transposed, longer": lambda m, x: ops.conv_transpose(x, m.k, 2, "valid", output_padding=1),
    "twice": lambda m, x: ops.conv(ops.tanh(ops.conv(x, m.k, 1, "same")), turned(m.k), 1, "same"),
}
COMPUTED = {
    "turned": lambda m, x: ops.conv(x, turned(m.k), 1, "valid"),
    "rows": lambda m, x: ops.conv(x, m.k[:2], 1, "valid"),
    "filters": lambda m, x: ops.conv(x, m.k[..., :3], 1, "valid"),
    "a matrix": lambda m, x: ops.conv(x, m.m[None, None], 1, "valid"),
    "depthwise": lambda m, x: ops.depthwise_conv(x, ops.reshape(m.m, (2, 2, 4, 1)), 1, "valid"),
    "transposed": lambda m, x: ops.conv_transpose(x, turned(m.k), 1, "valid"),
    "there and back": lambda m, x: ops.conv_transpose(ops.tanh(ops.conv(x, m.k, 1, "valid")), m.k, 1, "valid"),
}


@keras.saving.register_keras_serializable("tests")
class Convolved(keras.layers.Layer):
    def __init__(self, case, **options):
        super().__init__(**options)
        self.case = case

    def get_config(self):
        return {**super().get_config(), "case": self.case}

    def build(self, shape):
        self.k = self.add_weight(shape=(3, 3, 4, 4), name="k")
        self.m = self.add_weight(shape=(4, 4), name="m")

    def call(self, x):
        kind, name = self.case
        return {"stored": STORED, "computed": COMPUTED}[kind][name](self, x)


def ported(*case: str):
    x = keras.Input((6, 7, 4))
    keras.utils.set_random_seed(0)
    return port.from_keras(keras.Model(x, Convolved(case)(x)))


@proofs(STORED, level="steps")
def test_stored(name, level):
    assert ported("stored", name).verify(level).ok


@proofs(COMPUTED)
def test_computed(name, level):
    """On Keras's JAX backend; on others `ops.conv` alone takes a kernel that is computed."""
    assert ported("computed", name).verify(level).ok
