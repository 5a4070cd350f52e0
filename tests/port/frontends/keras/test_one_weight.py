"""One weight that a call reads in forms that no one layer has: it is a `parameter`, which all of them read."""

from __future__ import annotations

from typing import ClassVar

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from compose import port
from tests.port.frontends.keras.custom_models import Own, own

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
IDS = np.random.default_rng(0).integers(0, 5, (6, 3)).astype("int32")


def tied(m, x):
    return ops.matmul(ops.tanh(ops.matmul(x, m.w)), ops.transpose(m.w)) + m.b


def normalised(m, x):
    return ops.matmul(x, m.w / ops.norm(m.w, axis=0, keepdims=True) * m.b) + ops.mean(m.w)


def several(m, x):
    return ops.einsum("bi,ji->bj", x * m.b + m.b, m.w) / m.b + ops.power(ops.abs(x), ops.exp(m.b)) * ops.sum(m.w)


def chosen(m, x):
    return ops.matmul(x, ops.where(m.w > 0, 1.0 * m.w, 0.1)) + ops.maximum(x, m.b) * abs(m.b)


@own
class OfWeights(Own):
    calls: ClassVar = {f.__name__: f for f in (tied, normalised, several, chosen)}

    def build(self, shape):
        self.w = self.add_weight(shape=(4, 4), name="w")
        self.b = self.add_weight(shape=(4,), name="b", initializer=keras.initializers.RandomUniform(0.5, 1.5))

    def call(self, x):
        return self.calls[self.args[0]](self, x)


@own
class OfLayers(keras.Model):
    """Weights of layers, read beside them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table, self.dense, self.conv = L.Embedding(5, 4), L.Dense(4, "relu"), L.Conv1D(4, 2, padding="same")

    def call(self, ids):
        x = self.conv(self.dense(self.table(ids))) * ops.mean(self.conv.kernel)
        table = ops.matmul(self.table.embeddings, self.dense.kernel)
        return ops.matmul(x, ops.transpose(table / ops.sqrt(ops.sum(ops.square(table), -1, keepdims=True))))


@pytest.mark.slow
@pytest.mark.parametrize("name", OfWeights.calls)
def test_it_learns_as_one(name):
    keras.utils.set_random_seed(0)
    ported = port.from_keras(keras.Sequential([keras.Input((4,)), OfWeights(name)]))
    assert ported.verify("step").ok
    assert [record.view.source.rpartition("/")[2] for record in ported.weights] in (["w", "b"], ["b", "w"])


@pytest.mark.slow
def test_weights_of_layers_too():
    keras.utils.set_random_seed(0)
    model = OfLayers()
    model(IDS)
    assert port.from_keras(model, IDS).verify("step").ok
