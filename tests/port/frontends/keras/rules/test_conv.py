"""Keras models that change the size of images, norms, noise, and `keras.ops`, proven to equal training steps."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from tests.port.levels import proofs

keras = pytest.importorskip("keras")
L, ops = keras.layers, keras.ops


def unet():
    x = keras.Input((8, 8, 2))
    a = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = L.Conv2D(6, 3, padding="same", activation="relu")(L.MaxPooling2D(2)(a))
    c = L.Concatenate()([a, L.Conv2DTranspose(4, 2, strides=2, padding="same")(b)])
    return keras.Model(x, L.Conv2D(1, 1, activation="sigmoid")(L.SeparableConv2D(4, 3, padding="same")(c)))


def transposed():
    layers = [
        L.Conv1DTranspose(4, 4, strides=3, padding="same", activation="tanh"),
        L.Conv1DTranspose(3, 3, strides=2, padding="same", output_padding=1),
        L.Conv1DTranspose(3, 2, strides=2, output_padding=1),
        L.Conv1DTranspose(2, 2, strides=3),
        L.Conv1DTranspose(2, 3, dilation_rate=2, use_bias=False),
    ]
    return keras.Sequential([keras.Input((4, 2)), *layers])


def resampled():
    layers = [
        L.UpSampling2D((2, 3), interpolation="bilinear"), L.Conv2D(2, 3), L.Cropping2D(((1, 0), (2, 1))),
        L.UpSampling2D(2), L.Resizing(7, 6, interpolation="bicubic"), L.CenterCrop(5, 4), L.Flatten(), L.Dense(2),
    ]  # fmt: skip
    return keras.Sequential([keras.Input((5, 5, 2)), *layers])


def norms():
    layers = [
        L.Normalization(mean=[0.1, -0.2, 0.3, 0.0], variance=[1.5, 2.0, 0.5, 1.0]), L.Dense(6),
        L.PReLU(shared_axes=[1]), L.GroupNormalization(2), L.RMSNormalization(), L.Dense(4), L.PReLU(),
        L.GaussianNoise(0.1), L.GaussianDropout(0.2), L.AlphaDropout(0.1), L.UnitNormalization(), L.Dense(3),
    ]  # fmt: skip
    return keras.Sequential([keras.Input((5, 4)), *layers])


def siamese():
    a, b = keras.Input((4,)), keras.Input((4,))
    body = L.Dense(5, "tanh")
    return keras.Model([a, b], L.Dense(2)(L.Dot(axes=-1, normalize=True)([body(a), body(b)])))


def functions():
    x = keras.Input((4, 6))
    h = ops.relu(ops.transpose(L.Dense(6)(x), (0, 2, 1)))
    h = ops.reshape(h, (-1, 4, 3, 2))
    first, second = ops.split(h, 2, axis=1)
    h = ops.concatenate([ops.tanh(first), -second], axis=1)
    h = ops.matmul(ops.softmax(h), ops.swapaxes(h, -1, -2))
    y = ops.mean(h, axis=1)[:, 1:, ...] ** 2
    return keras.Model(x, L.Dense(2)(ops.sum(ops.gelu(ops.maximum(y, -1.0)), axis=-1) / 3))


@keras.saving.register_keras_serializable("tests")
class Weighted(keras.layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")
        self.places = self.add_weight(shape=(shape[1], 3), name="places")
        self.size = self.add_weight(shape=(3,), name="size")

    def call(self, x):
        return (ops.matmul(x, self.kernel) + self.places) * self.size


def own_weights():
    return keras.Sequential([keras.Input((5, 4)), Weighted(), L.Flatten(), L.Dense(2)])


def fine_tuned():
    layers = [L.Conv2D(3, 3), L.BatchNormalization(), L.Flatten()]
    body = keras.Sequential([keras.Input((4, 4, 2)), *layers], name="body")
    body.trainable = False
    return keras.Sequential([keras.Input((4, 4, 2)), body, L.Dense(2)])


CASES = {f.__name__: f for f in (fine_tuned, unet, transposed, resampled, norms, siamese, functions, own_weights)}


@proofs(CASES, level="steps")
def test_equal(name, level):
    keras.utils.set_random_seed(0)
    assert port.from_keras(CASES[name]()).verify(level).ok


def test_an_adapted_normalisation():
    norm = L.Normalization()
    norm.adapt(np.random.default_rng(0).normal(2, 3, (50, 4)).astype("float32"))
    assert port.from_keras(keras.Sequential([keras.Input((4,)), norm, L.Dense(2)])).verify("gradients").ok
