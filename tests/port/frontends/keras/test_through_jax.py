"""Keras's layers without a rule, and layers of one's own: read by JAX's operations, or refused as before."""

from __future__ import annotations

import pytest

from compose import port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="reads JAX's operations")


class Whitened(keras.layers.Layer):
    """Computes on its weight before a value meets it, by an operation that no rule knows."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

    def call(self, x):
        return x @ (self.kernel / keras.ops.norm(self.kernel, axis=0))


class OtherInTraining(keras.layers.Layer):
    def call(self, x, training=False):
        return keras.ops.logdet(x) if training else keras.ops.logdet(2 * x)


def model(layer, shape=(6,)):
    x = keras.Input(shape)
    return keras.Model(x, layer(keras.layers.Dense(shape[-1])(x)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Lambda(lambda x: keras.ops.tanh(x) * 2),
        keras.layers.Lambda(lambda x: keras.ops.cumprod(x, axis=1)),
        Whitened(),
    ],
    ids=["lambda", "lambda without a rule", "weights computed on"],
)
def test_equal(layer):
    assert port.from_keras(model(layer)).verify("step").ok


def test_what_is_another_computation_in_training_is_refused():
    with pytest.raises(PortError, match=r"logdet|Logdet|training"):
        port.from_keras(model(OtherInTraining(), (6, 6)))


def test_random_numbers_are_refused():
    draws = keras.layers.Lambda(lambda x: x + keras.random.normal(keras.ops.shape(x)))
    with pytest.raises(PortError):
        port.from_keras(model(draws))
