"""Keras layers and models of one's own: read by tracing their calls, proven to twenty equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

pytest.importorskip("keras")
import keras

from tests.port.frontends.keras import custom_models as own
from tests.port.levels import proofs

L, ops = keras.layers, keras.ops


def chain(shape, *layers, dtype=None):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def two_inputs():
    a, b = keras.Input((3,)), keras.Input((4,))
    y, again = own.Two()(a, other=b, by=2.0)
    return keras.Model([a, b], [y, L.Dense(2)(again)])


def hidden():
    x = keras.Input((6,), dtype="int32")
    return keras.Model(x, L.GlobalAveragePooling1D()(own.Hides()(L.Embedding(5, 4, mask_zero=True)(x))))


def encoders():
    x = keras.Input((6,), dtype="int32")
    return keras.Model(x, L.Dense(2)(own.Encoder(8, 2, 6)(own.Encoder(8, 2, 6)(own.Places(6, 5, 8)(x)))[:, 0]))


def batch_norms():
    return chain((5, 4), own.Affine(6), L.BatchNormalization(), own.Turned(), L.Dense(2))


CASES = {
    "blocks": lambda: chain((5, 4), own.Block(4), own.Block(4), L.GlobalAveragePooling1D(), L.Dense(2)),
    "dense by hand": lambda: chain((4,), own.Affine(6), own.Affine(5), L.Dense(2)),
    "attention by hand": lambda: chain((5, 4), own.Heads(2), L.Flatten(), L.Dense(2)),
    "encoders": encoders,
    "constants": batch_norms,
    "two inputs": two_inputs,
    "a mask": hidden,
}


@proofs(CASES)
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    assert port.from_keras(CASES[name]()).verify(level).ok


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ByName", "InList"])
def test_models_whose_inputs_are_a_dict_or_a_list(kind):
    keras.utils.set_random_seed(0)
    x, y = (np.random.default_rng(0).normal(size=(3, n)).astype("float32") for n in (4, 5))
    given = {"x": x, "y": y} if kind == "ByName" else [x, y]
    model = getattr(own, kind)()
    model(given)
    p = port.from_keras(model, given)
    assert p.verify("steps").ok
    expected = keras.tree.flatten(model(given))
    ours, _ = p.net.apply(p.params, p.state, x, y)
    for a, b in zip(keras.tree.flatten(ours), expected):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_text_is_what_the_code_says():
    dense = port.from_keras(CASES["dense by hand"]()).net
    assert "learned_bias" not in str(dense) and "fc(6, relu" in str(dense)
    text = str(port.from_keras(encoders()).net)
    assert "learned_positions(6)" in text and "class_token()" in text and "empty" not in text
    assert str(port.from_keras(CASES["blocks"]()).net).count("frozen(learned_scale()") == 2


def test_a_loss_added_and_a_regulariser_are_left_out():
    model = chain((4,), L.Dense(5, kernel_regularizer="l2", activity_regularizer="l1"), L.ActivityRegularization(0.1))
    assert str(port.from_keras(model).net) == "fc(5)"


@own.own
class Draws(own.Own):
    def make(self):
        self.seed = keras.random.SeedGenerator(0)

    def call(self, x, training=False):
        return x * keras.random.uniform(ops.shape(x), seed=self.seed) if training else x


def test_a_layer_that_draws_by_itself_is_warned_of_and_not_equal_in_training():
    model = chain((4,), L.Dense(3), Draws())
    with pytest.warns(UserWarning, match="draws random numbers by code of its own"):
        p = port.from_keras(model)
    assert p.verify("gradients").ok
    with pytest.raises(PortError, match="NOT equal"):
        p.verify("step")


@own.own
class Computed(own.Own):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), name="w")

    def call(self, x):
        return x * ops.exp(self.w)


class Asks(keras.Model):
    def call(self, x):
        return x + 1 if bool(ops.sum(x) > 0) else x


def test_what_cannot_be_read_is_named():
    assert port.from_keras(chain((4,), Computed())).verify("gradients").ok  # of weights, by JAX's operations
    before = keras.Variable.__add__, keras.Layer.__call__, keras.Operation.symbolic_call, keras.config.floatx()
    with pytest.raises(PortError, match="trace symbolically, got"):
        port.from_keras(Asks(), np.ones((2, 3), "float32"))
    assert before == (
        keras.Variable.__add__, keras.Layer.__call__, keras.Operation.symbolic_call, keras.config.floatx()
    )  # fmt: skip
