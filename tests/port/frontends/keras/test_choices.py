"""`ops.cond` and `ops.switch` by data in a call of one's own, as `choose`, proven in all branches."""

from __future__ import annotations

from typing import ClassVar

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from compose import port
from tests.port.frontends.keras.custom_models import own

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def two(m, x):
    return ops.cond(ops.sum(x) > 0, lambda: ops.tanh(m.a(x)), lambda: m.b(x))


def several(m, x):
    h = m.a(x)
    y, z = ops.cond(ops.max(x) > 1.5, lambda: (m.b(h), h * h), lambda: (h, ops.zeros_like(h)))
    return y + z


def nested(m, x):
    inner = lambda: ops.cond(ops.max(x) > 1.0, lambda: m.a(x), lambda: x + m.w)
    return ops.cond(ops.sum(x) > 0, inner, lambda: m.b(x))


def numbered(m, x):
    number = ops.cast(ops.sum(x) > 0, "int32") + ops.cast(ops.max(x) > 2, "int32") - 1
    return ops.switch(number, [lambda x: m.a(x), lambda x: ops.tanh(m.b(x))], x)


@own
class Chooses(keras.Model):
    ways: ClassVar = {f.__name__: f for f in (two, several, nested, numbered)}

    def __init__(self, way, **kwargs):
        super().__init__(**kwargs)
        self.way, self.a, self.b = way, L.Dense(4), L.Dense(4, use_bias=False)
        self.w = self.add_weight(shape=(4,), name="w")

    def build(self, shape):
        self.a.build(shape)
        self.b.build(shape)

    def call(self, x):
        return self.ways[self.way](self, x) * self.w

    def get_config(self):
        return {**super().get_config(), "way": self.way}


@pytest.mark.slow
@pytest.mark.parametrize("name", Chooses.ways)
def test_all_branches_are_those_of_the_model(name):
    keras.utils.set_random_seed(0)
    model = Chooses(name)
    model(X)
    ported = port.from_keras(model, X)
    assert "choose(" in ported.source
    assert any(row.check == "branches" for row in ported.verify("gradients").rows)
    for x in (X, -X, 3 * X, 0 * X, abs(X), -abs(X), X[:1] - 0.1):
        np.testing.assert_allclose(ported.net.apply(ported.params, ported.state, x)[0], model(x), rtol=1e-4, atol=1e-5)
