"""Small Keras models, ported and proven to twenty equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from compose.port.frontends.keras.registry import class_rule
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
L = keras.layers


def mlp():
    sizes = [L.Dense(250, "relu"), L.Dense(50, "relu"), L.Dense(250, "relu"), L.Dense(784, "sigmoid")]
    return keras.Sequential([keras.Input((784,)), *sizes])


def cnn():
    return keras.Sequential(
        [
            keras.Input((8, 9, 3)),
            L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            L.BatchNormalization(),
            L.DepthwiseConv2D(3, depth_multiplier=2),
            L.AveragePooling2D(2, padding="same"),
            L.Flatten(),
            L.Dropout(0.2),
            L.Dense(5, activation="softmax"),
        ]
    )


def shared():
    a, b = keras.Input((4,)), keras.Input((4,))
    body = keras.Sequential([keras.Input((4,)), L.Dense(6, "tanh"), L.LayerNormalization()], name="body")
    return keras.Model([a, b], L.Dense(1)(L.Subtract()([body(a), body(b)])))


def two_outputs():
    x = keras.Input((4,))
    h = L.Dense(6, "gelu")(x)
    return keras.Model(x, [L.Dense(2)(h), L.Dense(3, "softmax")(h * 2 + 1)])


def residual():
    x = keras.Input((6, 6, 3))
    h = L.Conv2D(3, 3, padding="same")(x)
    h = L.ReLU()(L.BatchNormalization()(h))
    return keras.Model(x, L.GlobalAveragePooling2D()(L.Add()([h, x])))


class Sub(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = L.Dense(5, "relu"), L.Dense(2)

    def call(self, x):
        return self.b(self.a(x)) + 1.0

    def get_config(self):
        return {}


CASES = {"mlp": mlp, "cnn": cnn, "shared": shared, "two outputs": two_outputs, "residual": residual}


@proofs(CASES, level="steps")
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    ported = port.from_keras(CASES[name]())
    assert ported.verify(level).ok


def test_outputs_alone_take_no_gradients(monkeypatch):
    ported = port.from_keras(two_outputs())
    monkeypatch.delattr(type(ported.reference), "gradients")
    report = ported.verify("outputs")
    assert [row.check for row in report.rows] == ["weights", "outputs", "outputs"] and report.rows[1].error < 1e-13


def test_autoencoder_is_the_expression_of_the_design():
    ported = port.from_keras(mlp())
    assert str(ported.net) == "compose_seq(fc(250, relu), fc(50, relu), fc(250, relu), fc(784, sigmoid))"


def test_a_subclassed_model():
    model = Sub()
    x = np.ones((3, 4), "float32")
    model(x)
    ported = port.from_keras(model, x)
    y, _ = ported.net.apply(ported.params, ported.state, x)
    np.testing.assert_allclose(y, model(x), rtol=1e-5)


def test_the_function_of_a_lambda_is_traced_and_one_that_trains_otherwise_refused():
    by = {"by": 3.0}
    scaled = L.Lambda(lambda x, by: keras.ops.tanh(x) * by - x, arguments=by, name="scaled")
    model = keras.Sequential([keras.Input((3,)), scaled, L.Dense(2)])
    ported = port.from_keras(model)
    assert "(tanh * 3.0" in str(ported.net) or "scale(by=3.0)" in str(ported.net)
    ported.verify("step")
    model = keras.Sequential([keras.Input((3,)), L.Lambda(lambda x, training=False: x * 2 if training else x)])
    with pytest.raises(PortError, match="the same in training"):
        port.from_keras(model)


def test_missing_layers_are_listed_at_once(monkeypatch):
    without = lambda cls: None if cls in (L.Solarization, L.MixUp) else class_rule(cls)
    for module in ("inlining", "rule_application"):
        monkeypatch.setattr(f"compose.port.frontends.keras.{module}.class_rule", without)
        monkeypatch.setattr(f"compose.port.frontends.keras.{module}.named_rule", lambda name: None)
    model = keras.Sequential([keras.Input((5, 5, 3)), L.Solarization(name="erase"), L.Conv2D(2, 3), L.MixUp()])
    with pytest.raises(PortError) as raised:
        port.from_keras(model, partial=True)
    assert "Solarization (1×), first at erase" in str(raised.value)
    assert "MixUp (1×)" in str(raised.value)
