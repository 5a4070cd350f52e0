"""Keras's layers without a rule, and layers of one's own: read by JAX's operations, or refused as before."""

from __future__ import annotations

import jax
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


@keras.saving.register_keras_serializable("through_jax")
class Cell(keras.layers.Layer):
    """Whose weight is read by a product and as it is."""

    state_size = 4

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")
        self.recurrent = self.add_weight(shape=(4, 4), name="recurrent")

    def call(self, x, states):
        y = keras.ops.tanh(x @ self.kernel + states[0] @ self.recurrent)
        return y, [y]


@pytest.mark.slow
def test_a_cell_of_ones_own():
    assert port.from_keras(keras.Sequential([keras.Input((3, 6)), keras.layers.RNN(Cell())])).verify("step").ok


def test_weights_keep_their_names_where_a_call_says_whether_it_trains():
    attention = keras.layers.MultiHeadAttention(2, 3, use_gate=True)
    x = keras.Input((5, 6))
    assert port.from_keras(keras.Model(x, attention(x, x))).verify("gradients").ok


def test_a_length_that_a_function_reads_is_fixed():
    halved = keras.layers.Lambda(lambda x: jax.image.resize(x, (x.shape[0], 3, 4), "nearest"))
    ported = port.from_keras(keras.Sequential([keras.Input((6, 4)), halved]))
    assert "ensure_shape(None, 6" in str(ported.net)
    assert ported.verify("gradients").ok
    free = keras.layers.Lambda(lambda x: jax.numpy.sinc(x))
    assert "ensure_shape" not in str(port.from_keras(keras.Sequential([keras.Input((6, 4)), free])).net)
