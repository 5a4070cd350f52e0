"""Augmentation: where a range is one number its law is no chance, and the network draws what Keras draws."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

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
    "sharpness": lambda: L.RandomSharpness((0.7, 0.7), value_range=(20, 200)),
    "invert": lambda: L.RandomInvert((1, 1), value_range=(0, 255)),
    "posterization": lambda: L.RandomPosterization((3, 3)),
    "posterization in a range": lambda: L.RandomPosterization((3, 4), value_range=(-1, 300)),
    "solarization": lambda: L.Solarization((0, 0), (0, 0), value_range=(0, 200)),
    "blur": lambda: L.RandomGaussianBlur((1, 1), kernel_size=(3, 5), sigma=(0.7, 0.7), value_range=(0, 200)),
    "erasing": lambda: L.RandomErasing((1, 1), scale=(1, 1), fill_value=7.0),
    "colours degenerate": lambda: L.RandomColorDegeneration((0.4, 0.4), value_range=(0, 200)),
    "saturation": lambda: L.RandomSaturation((0.7, 0.7)),
    "jitter": lambda: L.RandomColorJitter(brightness_factor=(0.1, 0.1), saturation_factor=(0.3, 0.3)),
}
OF_COLOURS = ("colours degenerate", "saturation", "jitter")


@pytest.mark.parametrize("name", LAYERS)
def test_draws_what_keras_draws(name):
    layer = LAYERS[name]()
    x = IMAGES.transpose(0, 3, 1, 2) if name == "channels first" else IMAGES
    if name in OF_COLOURS:
        x = np.concatenate([IMAGES, IMAGES[::-1, ..., :1]], -1)
    ported = port.from_keras(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    ours, _ = ported.net.apply(ported.params, ported.state, x, train=True, rng=jax.random.key(0))
    np.testing.assert_allclose(ours, layer(x, training=True), rtol=1e-4, atol=1e-2)
    assert not np.allclose(ours, x)
    np.testing.assert_array_equal(ported.net.apply(ported.params, ported.state, x)[0], x)


EITHER = {
    "shear": (lambda: L.RandomShear((0.3, 0.3), (0.1, 0.1)), 3),
    "one shear": (lambda: L.RandomShear((0.2, 0.2), (0.2, 0.2), fill_mode="constant", interpolation="nearest"), 2),
    "hue": (lambda: L.RandomHue((0.4, 0.4), value_range=(0, 255)), 3),
    "flip": (lambda: L.RandomFlip(), 2),
    "half inverted": (lambda: L.RandomInvert(1.0), 2),
}


@pytest.mark.parametrize("name", EITHER)
def test_each_image_is_one_of_the_two_that_keras_makes(name):
    made, channels = EITHER[name]
    layer, x = made(), np.repeat(np.random.default_rng(0).uniform(0, 255, (1, 6, 5, channels)), 40, 0).astype("float32")
    ported = port.from_keras(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    ours = np.asarray(ported.net.apply({}, {}, x, train=True, rng=jax.random.key(0))[0])
    theirs = np.asarray(layer(x, training=True))
    both = [next(y for y in theirs if not np.allclose(y, theirs[0], atol=1e-2)), theirs[0]]
    which = [[np.allclose(y, image, rtol=1e-4, atol=1e-2) for y in both] for image in ours]
    assert all(map(any, which)) and 8 < sum(first for first, _ in which) < 32
    assert ported.verify("gradients").ok


def test_posterization_leaves_out_the_high_end():
    ported = port.from_keras(keras.Sequential([keras.Input((6, 5, 2)), L.RandomPosterization((2, 5))]))
    assert str(ported.net) == "random_posterization((2, 4), value_range=(0.0, 255.0))"
    x = np.repeat(IMAGES[:1], 40, 0)
    drawn = np.asarray(ported.net.apply({}, {}, x, train=True, rng=jax.random.key(0))[0])
    kept = [L.RandomPosterization((n, n))(x[:1], training=True) for n in (2, 3, 4)]
    which = [[np.array_equal(image, y[0]) for y in kept] for image in drawn]
    assert all(map(any, which)) and all(any(row[i] for row in which) for i in range(3))


def test_a_box_is_erased_inside_the_image():
    layer = L.RandomErasing((1, 1), scale=(0.25, 0.25), fill_value=-3.0, value_range=(-5, 255))
    ported = port.from_keras(keras.Sequential([keras.Input((8, 6, 2)), layer]))
    x = np.ones((50, 8, 6, 2), "float32")
    for y in (ported.net.apply({}, {}, x, train=True, rng=jax.random.key(0))[0], layer(x, training=True)):
        gone = np.asarray(y) == -3
        assert (gone.any((2, 3)).sum(1) == 4).all() and (gone.any((1, 3)).sum(1) == 3).all()
    noisy = port.from_keras(keras.Sequential([keras.Input((8, 6, 2)), L.RandomErasing(0.4)]))
    written = 'random_erasing(rate=0.2, fill_value="noise", inside=True, value_range=(0.0, 255.0))'
    assert str(noisy.net) == written


def test_a_crop_is_the_same_for_the_whole_batch_and_whole_in_inference():
    ported = port.from_keras(keras.Sequential([keras.Input((6, 5, 2)), L.RandomCrop(3, 2)]))
    x = np.repeat(IMAGES[:1], 4, 0)
    for seed in range(3):
        y = np.asarray(ported.net.apply({}, {}, x, train=True, rng=jax.random.key(seed))[0])
        assert y.shape == (4, 3, 2, 2) and np.array_equal(y, np.repeat(y[:1], 4, 0))
    assert np.array_equal(ported.net.apply({}, {}, x)[0], L.RandomCrop(3, 2)(x, training=False))
    with pytest.raises(PortError, match="a crop to less than the images"):
        port.from_keras(keras.Sequential([keras.Input((6, 5, 2)), L.RandomCrop(6, 2)]))


def test_images_are_mixed_without_labels():
    for layer, written in ((L.MixUp(0.3), "mix_up(alpha=0.3)"), (L.CutMix(), "cut_mix(alpha=(1e-06, 1.000001))")):
        ported = port.from_keras(keras.Sequential([keras.Input((6, 5, 2)), layer]))
        assert str(ported.net) == written and ported.verify("gradients").ok
        y = np.asarray(ported.net.apply({}, {}, IMAGES, train=True, rng=jax.random.key(1))[0])
        assert y.shape == IMAGES.shape and not np.array_equal(y, IMAGES)
        assert y.min() >= IMAGES.min() and y.max() <= IMAGES.max()


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_histograms_of_tiles_are_equalised(order):
    layer = L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3), clip_limit=3.0, data_format=order)
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 12)).astype("float32")
    ported = port.from_keras(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    y = ported.net.apply({}, {}, x)[0]
    np.testing.assert_allclose(y, layer(x), rtol=1e-5, atol=1e-2)
    assert ported.verify("outputs").ok


def test_a_pipeline_is_its_layers():
    layers = [L.RandomBrightness((0.4, 0.4)), L.Rescaling(0.5)]
    ported = port.from_keras(keras.Sequential([keras.Input((6, 5, 2)), L.Pipeline(layers)]))
    assert str(ported.net).startswith("compose_seq(random_brightness(") and ported.verify("gradients").ok


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
