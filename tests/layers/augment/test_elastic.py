"""Random elastic deformation."""

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from compose import random_elastic_transform

KERAS: Any = keras.ops.image


@pytest.fixture
def images(rng):
    return rng.uniform(0.1, 0.9, (3, 21, 28, 2)).astype(np.float32)


def drawn(layer, x, seed=0):
    return np.asarray(layer.apply({}, {}, x, rng=jax.random.key(seed), train=True)[0])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reflect", "constant", "nearest"])
def test_elastic_is_keras_for_the_same_noise(mode, images):
    noise = jax.random.normal(jnp.array([7, 0], jnp.uint32), images.shape[:3])
    both = jnp.stack([noise, noise], -1)
    alpha, sigma = 0.1 * 0.9 * 28, 0.05 * 0.9 * 21
    theirs = KERAS.elastic_transform(images, alpha, sigma, fill_mode=mode, fill_value=0.25, seed=7)
    ours = random_elastic_transform(0.9, 1.0, mode, 0.25).moved(jnp.asarray(images), both)
    assert np.abs(ours - images).max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.slow
def test_elastic_moves_rows_and_columns_apart():
    ramp = jnp.stack(jnp.meshgrid(jnp.arange(40.0), jnp.arange(40.0), indexing="ij"), -1)[None]
    moved = (drawn(random_elastic_transform(1.0, fill_mode="nearest"), ramp) - ramp)[0, 10:30, 10:30].reshape(-1, 2)
    assert np.all(moved.std(0) > 0.3) and abs(np.corrcoef(moved.T)[0, 1]) < 0.6
