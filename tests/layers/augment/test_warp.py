"""Random perspective and elastic deformation: what each draw is like."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import random_elastic_transform, random_perspective
from compose.core.errors import ConfigError, DtypeError, ShapeError

BOTH = pytest.mark.parametrize("kind", [random_perspective, random_elastic_transform])


@pytest.fixture
def images(rng):
    return rng.uniform(0.1, 0.9, (3, 21, 28, 2)).astype(np.float32)


def drawn(layer, x, seed=0):
    return np.asarray(layer.apply({}, {}, x, rng=jax.random.key(seed), train=True)[0])


@BOTH
def test_each_image_draws_its_own_and_stays_in_range(kind, images):
    same = np.broadcast_to(images[:1], (30, *images.shape[1:]))
    y = drawn(kind(0.6), same)
    assert len(np.unique(y.round(5).reshape(30, -1), axis=0)) == 30
    assert y.min() >= 0 and y.max() <= same.max() + 1e-6
    assert np.array_equal(y, drawn(kind(0.6), same)) and not np.array_equal(y, drawn(kind(0.6), same, 1))


@pytest.mark.slow
@BOTH
def test_the_rate_is_how_many_change(kind, images):
    same = np.broadcast_to(images[:1], (200, *images.shape[1:]))
    changed = np.abs(drawn(kind(0.6, 0.3), same) - same).max((1, 2, 3)) > 0
    assert 0.15 < changed.mean() < 0.45
    assert np.array_equal(drawn(kind(0.6, 0.0), images), images) and np.array_equal(kind(0.6)(images), images)


@BOTH
def test_bfloat16_trains(kind, images):
    y = drawn(kind(0.5), jnp.asarray(images, jnp.bfloat16))
    assert y.dtype == jnp.bfloat16 and np.all(np.isfinite(y.astype(np.float32)))


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: random_perspective(1.5), None, ConfigError, "a scale from 0 to 1"),
        (lambda: random_perspective(0.5, 2.0), None, ConfigError, "a rate from 0 to 1"),
        (lambda: random_elastic_transform(0.0), None, ConfigError, "a scale above 0"),
        (lambda: random_perspective(0.5), (8, 3), ShapeError, r"\(batch, height, width, channels\)"),
        (lambda: random_elastic_transform(0.5), (8, 3), ShapeError, r"\(batch, height, width, channels\)"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match=text):
        build().out(shape)


@BOTH
def test_bytes_are_refused(kind):
    with pytest.raises(DtypeError, match="a floating-point input"):
        kind(0.5).init(0, jnp.ones((1, 8, 8, 3), jnp.uint8))
