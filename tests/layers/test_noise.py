"""Gaussian noise and Gaussian dropout."""

import jax
import numpy as np

from compose import (
    gaussian_dropout,
    gaussian_noise,
)


def drawn(layer, x, seed=0):
    return np.asarray(layer.apply({}, {}, x, rng=jax.random.key(seed), train=True)[0])


def test_gaussian_noise_and_dropout_have_their_moments():
    x = np.full((400, 1000), 2, np.float32)
    y = drawn(gaussian_noise(0.5), x)
    assert abs(y.mean() - 2) < 0.01 and abs(y.std() - 0.5) < 0.01
    y = drawn(gaussian_dropout(0.2), x)
    assert abs(y.mean() - 2) < 0.01 and abs(y.std() - 2 * 0.5) < 0.01
