"""Random flips and crops against Keras with a fixed draw, what each leaves unchanged, and errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import compose
from compose import (
    auto_contrast,
    random_brightness,
    random_color_degeneration,
    random_contrast,
    random_erasing,
    random_gaussian_blur,
    random_grayscale,
    random_hue,
    random_invert,
    random_posterization,
    random_rotation,
    random_saturation,
    random_sharpness,
    random_shear,
    random_translation,
    random_zoom,
    solarize,
)
from compose.core.errors import ConfigError, DtypeError, ShapeError

UNIT = {"value_range": (0, 1)}
KERAS = [
    (random_brightness((0.2, 0.2)), "RandomBrightness", {"factor": (0.2, 0.2), **UNIT}),
    (random_color_degeneration((0.3, 0.3)), "RandomColorDegeneration", {"factor": (0.3, 0.3), **UNIT}),
    (random_saturation((1.0, 1.0)), "RandomSaturation", {"factor": (2 / 3, 2 / 3), **UNIT}),
    (random_saturation((-0.5, -0.5)), "RandomSaturation", {"factor": (1 / 3, 1 / 3), **UNIT}),
    (random_sharpness((0.4, 0.4)), "RandomSharpness", {"factor": (0.7, 0.7), **UNIT}),
    (random_grayscale(1), "RandomGrayscale", {"factor": 1.0}),
    (random_invert(1), "RandomInvert", {"factor": (1.0, 1.0), **UNIT}),
    (random_posterization(3), "RandomPosterization", {"factor": (3, 3), **UNIT}),
    (solarize(threshold=0.0), "Solarization", UNIT),
    (auto_contrast, "AutoContrast", UNIT),
    (random_gaussian_blur(5, 0.9), "RandomGaussianBlur",
     {"factor": (1.0, 1.0), "kernel_size": 5, "sigma": (0.9, 0.9), **UNIT}),
    (random_rotation((0.07, 0.07)), "RandomRotation", {"factor": (0.07, 0.07)}),
    (random_rotation((-0.2, -0.2), "constant", 0.5), "RandomRotation",
     {"factor": (-0.2, -0.2), "fill_mode": "constant", "fill_value": 0.5}),
    (random_zoom((0.3, 0.3)), "RandomZoom", {"height_factor": (0.3, 0.3)}),
    (random_zoom((-0.4, -0.4), "nearest"), "RandomZoom", {"height_factor": (-0.4, -0.4), "fill_mode": "nearest"}),
    (random_translation((0.15, 0.15), "wrap"), "RandomTranslation",
     {"height_factor": (0.15, 0.15), "width_factor": (0.15, 0.15), "fill_mode": "wrap"}),
]  # fmt: skip


def drawn(layer, x):
    return layer.apply({}, {}, x, rng=jax.random.key(0), train=True)[0]


@pytest.fixture
def images(rng):
    return rng.uniform(0.05, 0.75, (2, 7, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("ours, theirs, options", KERAS, ids=lambda v: v if isinstance(v, str) else "")
def test_is_keras(ours, theirs, options, images):
    made = getattr(keras.layers, theirs)(**options)
    np.testing.assert_allclose(drawn(ours, images), made(images, training=True), atol=3e-5)
    assert ours.kind in ("auto_contrast", "solarize") or np.array_equal(ours(images), images)


def test_contrast_is_keras_but_for_its_cut(images):
    made = keras.layers.RandomContrast((0.3, 0.3), value_range=(-9, 9))
    got = drawn(random_contrast((-0.3, 0.3)), images)
    assert got.shape == made(images, training=True).shape
    wide = drawn(random_contrast((1, 1)), images)
    np.testing.assert_allclose(wide.mean((1, 2)), images.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(wide.std((1, 2)), 2 * images.std((1, 2)), atol=1e-5)


@pytest.mark.slow
def test_shear_is_keras_in_one_of_its_two_directions(images):
    theirs = keras.layers.RandomShear((0.3, 0.3), (0.3, 0.3))(images, training=True)
    there, back = (np.asarray(drawn(random_shear((by, by)), images)) for by in (0.3, -0.3))
    for image, a, b in zip(theirs, there, back):
        assert min(np.abs(image - a).max(), np.abs(image - b).max()) < 3e-5
    assert np.abs(there - back).max() > 0.1


@pytest.mark.slow
def test_each_image_is_changed_by_itself(images):
    same = np.broadcast_to(images[:1], (40, *images.shape[1:]))
    for layer in (random_rotation(0.1), random_zoom(0.3), random_translation(0.2), random_shear(0.2), random_hue(0.2)):
        y = np.asarray(drawn(layer, same)).reshape(40, -1)
        assert len(np.unique(y.round(5), axis=0)) == 40
    for layer in (random_grayscale(), random_invert(), random_posterization(2, 0.5)):
        y = np.asarray(drawn(layer, same)).reshape(40, -1)
        assert len(np.unique(y.round(5), axis=0)) == 2


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: random_hue(0.1), (8, 8, 4), ShapeError, "images with 3 channels, got 4"),
        (lambda: random_hue(-0.1), None, ConfigError, "a factor of at least 0"),
        (lambda: random_zoom((0.3, 0.1)), None, ConfigError, r"a pair \(low, high\)"),
        (lambda: random_rotation(0.1), (8, 3), ShapeError, r"\(batch, height, width, channels\)"),
        (lambda: random_invert(2), None, ConfigError, "a rate from 0 to 1"),
        (lambda: random_gaussian_blur(4), None, ConfigError, "odd sizes and a sigma above 0"),
        (lambda: random_erasing(scale=(0.5, 0.1)), None, ConfigError, "two fractions of the image"),
        (lambda: random_rotation(0.1, "edge"), None, ConfigError, "'reflect' or 'constant'"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match=text):
        build().out(shape)


def test_bytes_are_refused():
    with pytest.raises(DtypeError, match="a floating-point input"):
        random_rotation(0.1).init(0, jnp.ones((1, 8, 8, 3), jnp.uint8))


def test_words_print_and_parse():
    for layer in (random_rotation((-0.1, 0.2), "wrap"), random_posterization(3), solarize(threshold=0.3)):
        assert compose.parse(str(layer)) == layer
