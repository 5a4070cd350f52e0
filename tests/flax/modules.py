"""A Linen and an NNX module with everything that a module may have."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx


class Block(nn.Module):
    """With everything that a module may have: parameters, statistics, dropout, a train flag."""

    size: int
    rate: float = 0.0

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.size)(x))
        return nn.Dropout(self.rate, deterministic=not train)(jnp.tanh(x))


class NnxBlock(nnx.Module):
    def __init__(self, n: int, size: int, rate: float = 0.0, *, rngs: nnx.Rngs):
        self.dense = nnx.List([nnx.Linear(n, size, rngs=rngs)])
        self.norm = nnx.BatchNorm(size, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        return self.drop(jnp.tanh(self.norm(self.dense[0](x))))


def close(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), a, b)
