"""`keras.ops` by the dozen, in layers of one's own, proven in float64 to the gradients."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port

pytest.importorskip("keras")
import keras
from keras import ops

from tests.port.frontends.keras.custom_models import Own, own


@own
class Runs(Own):
    """A layer that is one of `FUNCTIONS` after a dense layer."""

    def make(self, name):
        self.dense = keras.layers.Dense(6)

    def build(self, shape):
        self.dense.build(shape)
        if self.args[0] in ("norms", "weights"):
            self.scale, self.table = (
                self.add_weight(shape=(6,), name="scale"),
                self.add_weight(shape=(2, 6), name="table"),
            )

    def call(self, x):
        return FUNCTIONS[self.args[0]](self.dense(x), self)


def angles(x, _):
    x = ops.tanh(x) * 0.9
    curves = ops.arcsin(x) + ops.arccos(x) + ops.arctan(x) + ops.arctanh(x) + ops.arcsinh(x) + ops.arccosh(x + 3.0)
    return curves + ops.sinh(x) + ops.cosh(x) + ops.tan(x)


def logarithms(x, _):
    x = ops.square(x) + 0.5
    return ops.log2(x) + ops.log10(x) + ops.log1p(x) + ops.expm1(-x) + ops.reciprocal(x) + ops.power(x, 1.5)


def rounded(x, _):
    return x * ops.floor(x) + ops.ceil(x) * x + ops.round(3 * x) * x + x * ops.stop_gradient(x)


def shrunk(x, _):
    made = ops.soft_shrink(x, 0.1) + ops.hard_shrink(x, 0.2) + ops.squareplus(x, 2.0) + ops.threshold(x, 0.1, 0.3)
    return ops.concatenate([made, ops.glu(x), ops.sparse_plus(x)], axis=-1)


def ordered(x, _):
    values, places = ops.top_k(x, 3)
    picked = ops.take_along_axis(x, ops.argsort(x, axis=-1), axis=-1)
    return ops.concatenate([values, picked * ops.sort(x, axis=-1), ops.cast(places, "float32")], axis=-1)


def copies(x, _):
    wide = ops.tile(x, (1, 2, 1)) + ops.repeat(x, 2, axis=1)
    alike = ops.ones_like(x) + ops.zeros_like(x) + ops.full_like(x, 2.0)
    return ops.concatenate(
        [wide, ops.broadcast_to(ops.mean(x, axis=1, keepdims=True), (ops.shape(x)[0], 3, 6)), alike], axis=1
    )


def axes(x, _):
    a, b, c = ops.unstack(x, axis=1)
    moved = ops.moveaxis(ops.moveaxis(x, -1, 1), 1, -1)
    mean, variance = ops.moments(moved, axes=[-1], keepdims=True)
    return (
        ops.stack([a, b * c], axis=1) + ops.slice(mean * variance, (0, 1, 0), (3, 2, 1)) + ops.average(x, axis=-1).sum()
        if False
        else ops.stack([a, b * c], axis=1) * ops.sum(mean * variance, axis=1, keepdims=True)
    )


def triangles(x, _):
    square = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
    return ops.tril(square) + ops.triu(square, 1) * 2.0 + ops.cumprod(square, axis=-1)


def norms(x, layer):
    y = ops.rms_normalization(x, layer.scale, axis=-1, epsilon=1e-3)
    return ops.layer_normalization(y, gamma=layer.table[0], beta=layer.table[1], axis=-1, epsilon=1e-3)


def attended(x, _):
    heads = ops.reshape(x, (-1, 3, 2, 3))
    return ops.dot_product_attention(heads, heads, heads * 2.0, is_causal=True)


def weights(x, layer):
    """Weights turned, cut and indexed before they are used; one before the value."""
    return layer.table[1] - (layer.table[None, 0] - ops.concatenate([x, x], axis=1)) * ops.expand_dims(layer.scale, 0)


FUNCTIONS = {
    f.__name__: f
    for f in (
        angles, logarithms, rounded, shrunk, ordered, copies, axes, triangles, norms, attended, weights,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(3, 3, 5)).astype("float32")
    model = keras.Sequential([keras.Input((3, 5)), Runs(name)])
    assert port.from_keras(model, x).verify("gradients").ok


@own
class Patches(Own):
    def call(self, image):
        small = ops.image.resize(image, (6, 6))
        parts = ops.image.extract_patches(image, size=(4, 2), strides=(4, 2))
        return ops.reshape(parts, (-1, 8, 24)), small


def test_patches_of_images():
    x = keras.Input((8, 8, 3))
    assert port.from_keras(keras.Model(x, Patches()(x))).verify("gradients").ok
