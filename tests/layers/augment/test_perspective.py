"""Random perspective."""

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from compose import random_perspective

KERAS: Any = keras.ops.image


@pytest.fixture
def images(rng):
    return rng.uniform(0.1, 0.9, (3, 21, 28, 2)).astype(np.float32)


def drawn(layer, x, seed=0):
    return np.asarray(layer.apply({}, {}, x, rng=jax.random.key(seed), train=True)[0])


@pytest.mark.slow
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
