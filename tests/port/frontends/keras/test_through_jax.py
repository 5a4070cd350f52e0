"""Keras's layers without a rule, and layers of one's own: read by JAX's operations, or refused as before."""

from __future__ import annotations

import pytest

from compose import port

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="reads JAX's operations")


@keras.saving.register_keras_serializable("through_jax")
class Whitened(keras.layers.Layer):
    """Computes on its weight before a value meets it, by an operation that no rule knows."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

    def call(self, x):
        return x @ (self.kernel / keras.ops.norm(self.kernel, axis=0))


def model(layer, shape=(6,)):
    x = keras.Input(shape)
    return keras.Model(x, layer(keras.layers.Dense(shape[-1])(x)))


@pytest.mark.slow
def test_weights_that_a_call_computes_on():
    assert port.from_keras(model(Whitened())).verify("step").ok
