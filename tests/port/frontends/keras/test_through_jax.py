"""Keras's layers without a rule, and layers of one's own: read by JAX's operations, or refused as before."""

from __future__ import annotations

import jax
import pytest

from compose import port
from tests.keras.on_backend import printed

keras = pytest.importorskip("keras")


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


@keras.saving.register_keras_serializable("through_jax")
class Running(keras.layers.Layer):
    """A loop over the steps, written by hand."""

    def call(self, x):
        def step(carry, row):
            made = keras.ops.tanh(0.5 * carry + row)
            return made, made

        return keras.ops.scan(step, keras.ops.zeros_like(x[:, 0]), keras.ops.transpose(x, (1, 0, 2)))[0]


def layers_without_rules():
    """Models of layers that have no rule, on any backend."""
    attention, x = keras.layers.MultiHeadAttention(2, 3, use_gate=True), keras.Input((5, 6))
    cell = keras.Sequential([keras.Input((3, 6)), keras.layers.RNN(Cell())])
    return [model(Whitened()), model(Running(), (4, 6)), cell, keras.Model(x, attention(x, x))]


def without_rules():
    """A model of operations that have no rule, on any backend."""
    ops = keras.ops
    h = keras.layers.Dense(6)(x := keras.Input((4, 6)))
    positive = ops.matmul(h, ops.transpose(h, (0, 2, 1))) + ops.eye(4)
    parts = [
        ops.mod(h, 0.7), ops.median(h, axis=1), ops.cholesky(positive), ops.det(positive), ops.diff(h, axis=1),
        ops.erfinv(0.9 * ops.tanh(h)), ops.logaddexp(h, 2 * h), ops.select([h > 1, h > 0], [h, 2 * h], 3 * h),
        ops.batch_normalization(h, ops.full((6,), 0.3), ops.full((6,), 0.7), -1), *ops.rfft(h),
    ]  # fmt: skip
    return keras.Model(x, parts)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_operations_on_each_backend(backend):
    pytest.importorskip(backend)
    program = "from tests.port.frontends.keras.test_through_jax import *\n"
    program += "for one in (without_rules(), *layers_without_rules()):\n"
    program += "    assert port.from_keras(one).verify('gradients').ok\nprint(keras.backend.backend())"
    assert printed(program, backend) == backend
