"""Dropout: noise in training, the identity in inference."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError
from compose.core.layer import Layer, layer

__all__ = ["dropout"]


@layer
class dropout(Layer):
    """Zeroes each element with probability `rate` in training and divides the rest by `1 - rate`.

    Srivastava et al., Dropout, 2014. Elsewhere: Keras `Dropout`, torch `Dropout`, Flax `Dropout`.

    Args:
        rate: the probability.
        shared_axes: axes along which one draw serves all, as `(1, 2)` to drop whole channels of images.
    """

    rate: float
    shared_axes: tuple[int, ...] = ()

    draws = True

    def validate(self):
        if not 0 <= self.rate <= 1:
            raise ConfigError("a rate from 0 to 1", str(self.rate))

    def forward(self, p, x, ctx):
        if not ctx.train or self.rate == 0:
            return x
        if self.rate == 1:
            return jnp.zeros_like(x)
        shared = {axis % x.ndim for axis in self.shared_axes}
        shape = tuple(1 if i in shared else n for i, n in enumerate(x.shape))
        keep = jax.random.bernoulli(ctx.rng(), 1 - self.rate, shape)
        return jnp.where(keep, x / (1 - self.rate), 0)
