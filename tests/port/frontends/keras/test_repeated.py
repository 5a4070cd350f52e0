"""Weights, and values computed of them, that a call of Keras repeats for each example."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from tests.keras.on_backend import printed
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
ops = keras.ops
X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
SHAPES = {"b": (4,), "w": (4, 4), "q": (1, 3, 4), "p": (3, 4)}


def n(x):
    return ops.shape(x)[0]


SAID = {
    "tokens": (
        ("q", "w"),
        lambda m, x: ops.concatenate([ops.tile(m.q, [n(x), 1, 1]), x[:, None]], 1) @ m.w,
        "class_token(count=3)",
    ),
    "a product": (("b", "w"), lambda m, x: ops.broadcast_to(m.b, ops.shape(x)) * (x @ m.w), "learned_scale()"),
    "twice": (
        ("b", "w"),
        lambda m, x: ops.broadcast_to(m.b, ops.shape(x)) * (x @ m.w) + ops.broadcast_to(m.b, ops.shape(x)),
        "* fc(4, bias=False)(x) + h",
    ),
    "beside itself": (("b", "w"), lambda m, x: x @ m.w + ops.tile(m.b[None], [n(x), 1]) * m.b, "expand_batch("),
    "matrices": (
        ("w",),
        lambda m, x: ops.matmul(ops.tile(m.w[None], [n(x), 1, 1]), x[:, :, None])[..., 0],
        "branch(parameter(4, 4), identity, join=matmul)",
    ),
    "computed": (
        ("q", "w"),
        lambda m, x: ops.concatenate([ops.tile(ops.relu(m.q @ m.w), [n(x), 1, 1]), x[:, None]], 1) @ m.w,
        "expand_batch(",
    ),
    "computed, broadcast": (
        ("q", "w"),
        lambda m, x: ops.concatenate([ops.broadcast_to(m.q @ m.w, [n(x), 3, 4]), x[:, None]], 1),
        "expand_batch(",
    ),
    "computed, repeated": (
        ("q",),
        lambda m, x: ops.einsum("bqd,bd->bq", ops.repeat(ops.exp(m.q), n(x), axis=0), x),
        "expand_batch",
    ),
    "repeated rows": (
        ("q",),
        lambda m, x: ops.einsum("bqd,bd->bq", ops.repeat(m.q, n(x), axis=0), x),
        "branch(parameter(3, 4), identity",
    ),
    "repeated rows of a table": (
        ("p",),
        lambda m, x: ops.einsum("bqd,bd->bq", ops.repeat(m.p[None], n(x), axis=0), x),
        "branch(parameter(3, 4), identity",
    ),
    "zeros": ((), lambda m, x: ops.concatenate([ops.zeros([n(x), 2]), x], 1), "frozen(parameter(2))"),
    "a number": ((), lambda m, x: ops.concatenate([ops.full([n(x), 2], 3.0), x], 1), "frozen(parameter(2))"),
    "ones times it": (
        ("b",),
        lambda m, x: ops.concatenate([ops.ones([n(x), 1]) * m.b, x], 1) * 2,
        "branch(parameter(4), identity, join=concat)",
    ),
    "ones times what is computed": (
        ("b",),
        lambda m, x: ops.concatenate([ops.ones([n(x), 1]) * ops.exp(m.b), x], 1),
        "expand_batch",
    ),
    "stacked": (("b",), lambda m, x: ops.stack([x, ops.broadcast_to(m.b, ops.shape(x))], 1), "parameter(4), join"),
    "zeros and it": (("b",), lambda m, x: ops.stack([x, ops.zeros_like(x) + m.b], 1), "learned_bias()"),
    "an initial state": (
        ("b", "w"),
        lambda m, x: ops.tanh(x + ops.tanh(x + ops.repeat(m.b[None], n(x), axis=0) @ m.w) @ m.w),
        "expand_batch",
    ),
    "read by a layer": (
        ("q",),
        lambda m, x: m.add([ops.broadcast_to(m.q, (n(x), 3, 4)), x[:, None]]),
        "parameter(3, 4)",
    ),
    "made wider too": (
        ("b",),
        lambda m, x: ops.stack([x, x, x], 1) + ops.exp(ops.broadcast_to(m.b, [n(x), 3, 4])),
        "broadcast_to(3, 4)",
    ),
}


def model(name):
    used, call, _ = SAID[name]

    class OfWeights(keras.layers.Layer):  # not registered, as most people's layers
        def build(self, shape):
            self.add = keras.layers.Add()
            for weight in used:
                setattr(self, weight, self.add_weight(shape=SHAPES[weight], name=weight, initializer="normal"))

        def call(self, x):
            return call(self, x)

    x = keras.Input((4,))
    return keras.Model(x, OfWeights()(x))


@proofs(SAID, level="steps")
def test_once_for_each_example(name, level):
    ported = port.from_keras(model(name), X)
    assert SAID[name][2] in " ".join(str(ported.net).split())
    report = ported.verify(level)
    assert report.ok and "outputs    for (8" in str(report)  # a second batch


def test_several_rows_for_each_example_go_through_jax():
    class Rows(keras.layers.Layer):
        def build(self, shape):
            self.p = self.add_weight(shape=(3, 4), name="p")

        def call(self, x):
            return ops.tile(self.p, [n(x), 1]) * ops.repeat(x, 3, axis=0) + ops.repeat(self.p, n(x), axis=0)

    ported = port.from_keras(keras.Sequential([keras.Input((4,)), Rows()]), X)
    assert ported.verify("steps").ok


EVERY = """
import keras

from tests.port.frontends.keras.rules.test_kernel_forms import STORED, test_stored
from tests.port.frontends.keras.test_repeated import SAID, test_once_for_each_example

for name in SAID:
    test_once_for_each_example(name, "steps")
for name in STORED:
    test_stored(name, "steps")
print(keras.backend.backend())
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_on_another_backend(backend):
    pytest.importorskip(backend)
    assert printed(EVERY, backend) == backend
