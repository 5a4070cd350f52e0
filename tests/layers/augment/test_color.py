"""Random colour transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    auto_contrast,
    random_hue,
    solarize,
)


def drawn(layer, x):
    return layer.apply({}, {}, x, rng=jax.random.key(0), train=True)[0]


@pytest.fixture
def images(rng):
    return rng.uniform(0.05, 0.75, (2, 7, 8, 3)).astype(np.float32)


def test_a_third_of_the_circle_turns_red_to_green():
    red = jnp.array([0.8, 0.1, 0.1]).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(drawn(random_hue((1 / 3, 1 / 3)), red)[0, 0, 0], [0.1, 0.8, 0.1], atol=1e-6)
    np.testing.assert_allclose(drawn(random_hue((-1 / 3, -1 / 3)), red)[0, 0, 0], [0.1, 0.1, 0.8], atol=1e-6)


def test_hue_keeps_value_and_saturation(images):
    turned = drawn(random_hue(0.5), images)
    for end in (np.max, np.min):
        np.testing.assert_allclose(end(turned, -1), end(images, -1), atol=1e-5)
    np.testing.assert_allclose(drawn(random_hue((1, 1)), images), images, atol=1e-5)


def test_solarize_turns_what_reaches_the_threshold():
    y = solarize(threshold=0.5, addition=0.1)(jnp.array([0.2, 0.39, 0.4, 0.95]))
    np.testing.assert_allclose(y, [0.3, 0.49, 0.5, 0.0], atol=1e-6)


def test_a_constant_image_has_no_contrast_to_stretch():
    flat = jnp.full((1, 3, 3, 1), 0.4)
    assert np.array_equal(auto_contrast(flat), flat)
    assert np.all(np.isfinite(jax.grad(lambda x: auto_contrast(x).sum())(flat)))
