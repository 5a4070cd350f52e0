"""Keras models whose calls read the length of an input: fixed in the network, or free where no number depends on it."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError, ShapeError
from tests.keras.on_backend import printed

keras = pytest.importorskip("keras")
L, ops = keras.layers, keras.ops


class Times(L.Layer):
    def call(self, x):
        return x * (0.3 * ops.shape(x)[1])


class Halves(L.Layer):
    def call(self, x):
        half = ops.shape(x)[1] // 2
        return ops.concatenate([x[:, half:], x[:, :half]], 1)


class Tokens(L.Layer):
    def call(self, x):
        return ops.reshape(ops.reshape(x, (-1, 6)) * 2, (-1, ops.shape(x)[1], 6))


class Places(L.Layer):
    def call(self, x):
        return x + ops.broadcast_to(ops.mean(x, 1)[:, None], ops.shape(x))


class Causal(L.Layer):
    def call(self, x):
        length = ops.shape(x)[1]
        scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        return ops.matmul(ops.where(ops.tril(ops.ones((length, length), "bool")), scores, -1.0), x)


class Gated(L.Layer):
    """Reads no length."""

    def call(self, x):
        return x * ops.sigmoid(ops.mean(x, 1, keepdims=True))


def of(layer, length):
    x = keras.Input((length, 6))
    return keras.Model(x, layer(L.Dense(6)(x)))


def drawn(length):
    return np.random.default_rng(0).normal(size=(3, length, 6)).astype("f4")


@pytest.mark.parametrize("layer", (Times, Halves, Tokens, Places))
def test_a_length_that_a_call_reads_is_fixed(layer):
    p = port.from_keras(of(layer(), 4))
    assert "ensure_shape(None, 4, None)" in str(p.net)
    assert p.verify("gradients").ok
    with pytest.raises(ShapeError, match="4"):
        p.net.apply(p.params, p.state, drawn(7))


def test_a_length_that_no_number_depends_on_is_free():
    p = port.from_keras(of(Gated(), 4))
    assert "ensure_shape" not in str(p.net)
    assert any("(6, 7, 6)" in row.what for row in p.verify("outputs").rows)


def test_a_model_within_a_model_is_read_for_the_other_length():
    x = keras.Input((4, 6))
    p = port.from_keras(keras.Model(x, of(Gated(), None)(of(Gated(), 4)(x))))
    assert "ensure_shape" not in str(p.net)
    p = port.from_keras(keras.Model(x, of(Halves(), None)(L.Dense(6)(x))))
    assert "ensure_shape(None, 4, None)" in str(p.net) and p.verify("outputs").ok


def test_an_open_length_that_a_call_reads_is_that_of_the_example():
    model = of(Times(), None)
    p = port.from_keras(model, drawn(5))
    assert "ensure_shape(None, 5, None)" in str(p.net) and p.verify("outputs").ok
    for layer in (Times(), Places(), Causal()):
        with pytest.raises(PortError, match="example inputs of the lengths"):
            port.from_keras(of(layer, None))


def test_layers_that_take_one_length_say_so():
    p = port.from_keras(of(Causal(), None), drawn(5))  # the length of its mask
    assert "ensure_shape" not in str(p.net) and p.verify("outputs").ok


def test_an_open_length_of_which_the_layers_take_any_stays_open():
    p = port.from_keras(of(Gated(), None), drawn(5))
    assert "ensure_shape" not in str(p.net) and p.verify("outputs").ok


def test_an_example_that_the_model_does_not_take_is_refused():
    with pytest.raises(PortError, match=r"of the shape \(None, 4, 6\), got \(3, 5, 6\)"):
        port.from_keras(of(Gated(), 4), drawn(5))


def test_the_model_has_its_own_outputs_afterwards():
    model = of(Halves(), 4)
    port.from_keras(model)
    assert [tuple(layer.output.shape) for layer in model.layers] == [(None, 4, 6)] * 3


class Ranked(L.Layer):
    def call(self, x):
        return x + ops.cast(ops.arange(4), x.dtype)[None, :, None] * 0.1


def test_a_sum_that_keras_computes_right_only_uncompiled():
    x = keras.Input((4, 6))  # on TensorFlow, Keras's compiled sum takes an operand of (1, 4, 1) for a bias of six
    assert port.from_keras(keras.Model(x, Ranked()(L.Dense(6)(x)))).verify("outputs").ok


ON_TENSORFLOW = """
from tests.port.frontends.keras.test_lengths import *

for layer in (Times, Halves, Tokens, Places):
    test_a_length_that_a_call_reads_is_fixed(layer)
test_a_model_within_a_model_is_read_for_the_other_length()
test_the_model_has_its_own_outputs_afterwards()
test_a_sum_that_keras_computes_right_only_uncompiled()
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_on_tensorflow():
    pytest.importorskip("tensorflow")
    assert printed(ON_TENSORFLOW, "tensorflow") == "tensorflow"
