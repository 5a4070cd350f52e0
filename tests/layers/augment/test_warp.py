"""Perspective and elastic deformation with their draw fixed against Keras, and what each draw is like."""

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from compose import random_elastic_transform, random_perspective
from compose.core.errors import ConfigError, DtypeError, ShapeError

KERAS: Any = keras.ops.image
BOTH = pytest.mark.parametrize("kind", [random_perspective, random_elastic_transform])


@pytest.fixture
def images(rng):
    return rng.uniform(0.1, 0.9, (3, 21, 28, 2)).astype(np.float32)


def drawn(layer, x, seed=0):
    return np.asarray(layer.apply({}, {}, x, rng=jax.random.key(seed), train=True)[0])


@pytest.mark.parametrize("scale", [0.3, 0.6])
def test_perspective_is_keras_for_the_same_corners(scale, images, rng):
    grown = rng.uniform(1 - scale / 2, 1 + scale / 2, (3, 2, 2, 2)).astype(np.float32)
    start = np.broadcast_to(np.array([[0, 0], [27, 0], [0, 20], [27, 20]], np.float32), (3, 4, 2))
    end = start * grown.reshape(3, 4, 2)[..., ::-1]
    theirs = KERAS.perspective_transform(images, start, end, fill_value=0.25)
    ours = random_perspective(scale, fill_value=0.25).seen(jnp.asarray(images), jnp.asarray(grown))
    wrong = np.abs(ours - np.asarray(theirs)).max(-1) > 2e-3
    assert np.abs(ours - images).max() > 0.3
    assert wrong.mean() < 0.005, "but for pixels at the edge itself"


def test_corners_go_where_they_are_sent(x64):
    ramp = jnp.stack(jnp.meshgrid(jnp.arange(21.0), jnp.arange(28.0), indexing="ij"), -1)[None]
    grown = jnp.asarray([[[[1, 1], [1, 20 / 27]], [[17 / 20, 1], [19 / 20, 24 / 27]]]])
    got = random_perspective(0.5, fill_value=-1.0).seen(ramp, grown)[0]
    for at, corner in (((0, 0), (0, 0)), ((0, 20), (0, 27)), ((17, 0), (20, 0)), ((19, 24), (20, 27))):
        np.testing.assert_allclose(got[at], corner, atol=1e-9)


@pytest.mark.parametrize("mode", ["reflect", "constant", "nearest"])
def test_elastic_is_keras_for_the_same_noise(mode, images):
    noise = jax.random.normal(jnp.array([7, 0], jnp.uint32), images.shape[:3])
    both = jnp.stack([noise, noise], -1)
    alpha, sigma = 0.1 * 0.9 * 28, 0.05 * 0.9 * 21
    theirs = KERAS.elastic_transform(images, alpha, sigma, fill_mode=mode, fill_value=0.25, seed=7)
    ours = random_elastic_transform(0.9, 1.0, mode, 0.25).moved(jnp.asarray(images), both)
    assert np.abs(ours - images).max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_elastic_moves_rows_and_columns_apart():
    ramp = jnp.stack(jnp.meshgrid(jnp.arange(40.0), jnp.arange(40.0), indexing="ij"), -1)[None]
    moved = (drawn(random_elastic_transform(1.0, fill_mode="nearest"), ramp) - ramp)[0, 10:30, 10:30].reshape(-1, 2)
    assert np.all(moved.std(0) > 0.3) and abs(np.corrcoef(moved.T)[0, 1]) < 0.6


@BOTH
def test_each_image_draws_its_own_and_stays_in_range(kind, images):
    same = np.broadcast_to(images[:1], (30, *images.shape[1:]))
    y = drawn(kind(0.6), same)
    assert len(np.unique(y.round(5).reshape(30, -1), axis=0)) == 30
    assert y.min() >= 0 and y.max() <= same.max() + 1e-6
    assert np.array_equal(y, drawn(kind(0.6), same)) and not np.array_equal(y, drawn(kind(0.6), same, 1))


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
