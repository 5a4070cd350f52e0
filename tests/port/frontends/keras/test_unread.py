"""Weights that a call leaves out, and rows of them."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.port.frontends.keras.unread import unread_parts
from compose.port.ir.graph import Op
from compose.port.ir.weights import View
from tests.keras.on_backend import printed

keras = pytest.importorskip("keras")
X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


class Half(keras.layers.Layer):
    def build(self, shape):
        make = lambda name, **options: self.add_weight(shape=(3, 4), name=name, initializer="normal", **options)
        self.a, self.b, self.c = make("a"), make("b"), make("c", trainable=False)

    def call(self, x):
        return x * self.a[1]


def test_they_stay_as_they_are():
    ported = port.from_keras(keras.Sequential([keras.Input((4,)), Half()]))
    assert [(t.source.rpartition("/")[2], t.rows) for t in ported.graph.unread] == [
        ("b", None), ("a", (0, 1)), ("a", (2, 3)),
    ]  # fmt: skip
    assert ported.verify("steps").ok
    assert ported.verify("steps", optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1)).ok  # which decays them
    before = [w.copy() for w in ported.to_keras_weights(ported.params, ported.state)]
    after = ported.to_keras_weights({"scale": ported.params["scale"] + 1}, ported.state)
    changed = [np.argwhere(a != b)[:, 0].tolist() for a, b in zip(before, after)]
    assert changed == [[1] * 4, [], []]


ON_TORCH = """
from compose import port
from tests.port.frontends.keras.test_unread import Half, keras

assert port.from_keras(keras.Sequential([keras.Input((4,)), Half()])).verify("steps").ok
print(keras.backend.backend())
"""


@pytest.mark.slow
def test_on_torch_where_they_have_no_gradient():
    pytest.importorskip("torch")
    assert printed(ON_TORCH, "torch") == "torch"


def test_runs_of_rows():
    ops = [Op(None, (0,), 1, {"x": View("a", rows=(1, 2))}), Op(None, (0,), 2, {"x": View("b")})]  # pyright: ignore
    found = unread_parts({"a": np.zeros(4), "b": np.zeros(2), "c": np.zeros(())}, ops)
    assert found == (View("c"), View("a", rows=(0, 1)), View("a", rows=(2, 4)))
