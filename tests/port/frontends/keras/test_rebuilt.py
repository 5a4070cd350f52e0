"""A model is rebuilt for its proof with the classes and functions it is made of, whether Keras knows them or not."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port

keras = pytest.importorskip("keras")
X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


def powers(exponent):
    """A class that no name leads to, of the same name as others."""

    class Scaled(keras.layers.Layer):
        def __init__(self, units=4, **options):
            super().__init__(**options)
            self.units = units

        def build(self, shape):
            self.a = self.add_weight(shape=(self.units,), name="a", initializer="ones")

        def call(self, x):
            return x**exponent * self.a

    return Scaled


class Around(keras.layers.Layer):
    """A layer and a function as its options."""

    def __init__(self, inner, fn, **options):
        super().__init__(**options)
        self.inner, self.fn = inner, fn

    def call(self, x):
        return self.fn(self.inner(x))

    def get_config(self):
        options = {"inner": self.inner, "fn": self.fn}
        return {**super().get_config(), **{k: keras.saving.serialize_keras_object(v) for k, v in options.items()}}

    @classmethod
    def from_config(cls, config):
        options = {k: keras.saving.deserialize_keras_object(config.pop(k)) for k in ("inner", "fn")}
        return cls(**options, **config)


def test_two_classes_of_one_name():
    ported = port.from_keras(keras.Sequential([keras.Input((4,)), powers(2)(4), powers(3)()]))
    assert "ops.square" in str(ported.net) and "ops.power(x2=3.0)" in str(ported.net)
    assert ported.verify("outputs").ok


@pytest.mark.slow
def test_a_layer_and_a_function_inside_of_another():
    def doubled(x):
        return 2 * keras.ops.tanh(x)

    ported = port.from_keras(keras.Sequential([keras.Input((4,)), Around(powers(2)(), doubled)]))
    assert ported.verify("step").ok


@pytest.mark.slow
def test_a_model_of_ones_own():
    class Whole(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.scaled, self.dense = powers(2)(), keras.layers.Dense(3)

        def call(self, x):
            return self.dense(self.scaled(x))

    whole = Whole()
    whole(X)
    assert port.from_keras(whole, X).verify("step").ok
