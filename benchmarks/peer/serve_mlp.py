"""The same MLP in plain JAX, for servers of others."""

from itertools import pairwise

import jax
import numpy as np


def mlp(width):
    """A function of arrays `(n, 64)`: 64-width-width-10 with random weights, softmax at the end."""
    rng = np.random.default_rng(0)
    sizes = (64, width, width, 10)
    weights = [jax.device_put(rng.normal(size=s, scale=s[0] ** -0.5).astype("f4")) for s in pairwise(sizes)]

    @jax.jit
    def run(weights, x):
        for w in weights[:-1]:
            x = jax.nn.relu(x @ w)
        return jax.nn.softmax(x @ weights[-1])

    return lambda x: np.asarray(run(weights, x))
