"""Augmentation: where a range is one number its law is no chance, and the network draws what Keras draws."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import port

keras = pytest.importorskip("keras")
L = keras.layers
IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 6, 5, 2)).astype("float32")
LAYERS = {
    "translation": lambda: L.RandomTranslation((0.3, 0.3), (-0.4, -0.4), fill_mode="constant", fill_value=2.0),
    "nearest": lambda: L.RandomTranslation((0.25, 0.25), (0.1, 0.1), interpolation="nearest", fill_mode="wrap"),
    "zoom": lambda: L.RandomZoom((0.3, 0.3), (-0.2, -0.2), fill_mode="nearest"),
    "one zoom": lambda: L.RandomZoom((0.3, 0.3)),
    "rotation": lambda: L.RandomRotation((0.1, 0.1), interpolation="nearest"),
    "brightness": lambda: L.RandomBrightness((0.4, 0.4), value_range=(0, 255)),
    "channels first": lambda: L.RandomZoom((0.3, 0.3), (0.1, 0.1), data_format="channels_first"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_draws_what_keras_draws(name):
    layer = LAYERS[name]()
    x = IMAGES.transpose(0, 3, 1, 2) if name == "channels first" else IMAGES
    ported = port.from_keras(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    ours, _ = ported.net.apply(ported.params, ported.state, x, train=True, rng=jax.random.key(0))
    np.testing.assert_allclose(ours, layer(x, training=True), rtol=1e-4, atol=1e-2)
    assert not np.allclose(ours, x)
    np.testing.assert_array_equal(ported.net.apply(ported.params, ported.state, x)[0], x)


def test_contrast_lies_in_the_range_and_is_clipped():
    x = np.repeat(IMAGES, 60, 0)
    ported = port.from_keras(keras.Sequential([keras.Input((6, 5, 2)), L.RandomContrast((0.2, 0.5))]))
    assert str(ported.net) == "random_contrast((-0.2, 0.5), value_range=(0.0, 255.0))"
    y = np.asarray(ported.net.apply({}, {}, x, train=True, rng=jax.random.key(0))[0])
    inside = (y > 0) & (y < 255)
    ratio = ((y - x.mean((1, 2), keepdims=True)) / (x - x.mean((1, 2), keepdims=True)))[inside]
    assert y.min() == 0 and y.max() == 255
    assert 0.79 < ratio.min() < 0.85 and 1.45 < ratio.max() < 1.51


def test_whole_numbers_are_floats_afterwards():
    ported = port.from_keras(keras.Sequential([keras.Input((4, 4, 2), dtype="uint8"), L.RandomTranslation(0.1, 0.2)]))
    assert ported.verify("gradients").ok
