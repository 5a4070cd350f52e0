"""Normalisation without learned parameters: across nearby channels, to unit length, by one factor."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from compose.core.errors import ConfigError, expect_float, expect_rank
from compose.core.function import function
from compose.core.layer import Layer, layer
from compose.core.precision import narrow, wide
from compose.layers.window import Window, channel_axis

__all__ = ["local_response_norm", "rescale", "unit_norm"]


@layer
class local_response_norm(Layer):
    """`x / (k + alpha / size · Σ x²) ** beta`, summed over `size` nearby channels (Krizhevsky et al., 2012).

    Shapes: `(batch, ..., channels)`, unchanged.
    Elsewhere: torch `LocalResponseNorm` with these defaults; TensorFlow's `tf.nn.lrn` does not divide alpha by
    the size, which is `2 · depth_radius + 1`.

    Args:
        size: the number of channels in the sum; an even size extends one further back.
        alpha, beta, k: the constants of the formula.
        channels_first: the input is `(batch, channels, ...)`.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    channels_first: bool = False

    def validate(self):
        if self.size < 1:
            raise ConfigError("a size of at least 1", str(self.size))

    def params(self, x):
        expect_rank(x, range(2, 99), "(batch, channels, ...)" if self.channels_first else "(batch, ..., channels)")
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        at = channel_axis(x, self.channels_first)
        around = ((self.size // 2, (self.size - 1) // 2),)
        over = Window((at,), (x.shape[at],), (self.size,), (1,), (1,), around, (0,))
        z = wide(x)
        total = over.reduce(jnp.square(z), np.zeros((), z.dtype), lax.add)
        return narrow(z / (self.k + self.alpha / self.size * total) ** self.beta, x)


@function(floats=True)
def unit_norm(x, axis: int | tuple[int, ...] = -1, epsilon: float = 1e-12):
    """`x / |x|` along `axis`, with the Euclidean norm; zeros stay zeros and have a finite gradient.

    Shapes: any, unchanged. Elsewhere: Keras `UnitNormalization`, torch `functional.normalize`.
    """
    z = wide(x)
    return narrow(z * lax.rsqrt(jnp.maximum(jnp.square(z).sum(axis, keepdims=True), epsilon)), x)


@layer
class rescale(Layer):
    """`x · factor + offset`, also for integers: `rescale(1 / 255)` for images.

    Shapes: any, unchanged. Elsewhere: Keras `Rescaling`.
    """

    factor: float
    offset: float = 0.0

    def forward(self, p, x, ctx):
        return as_float(x) * self.factor + self.offset


def as_float(x):
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(float))
