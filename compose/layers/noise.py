"""Gaussian noise in training, the identity in inference."""

from __future__ import annotations

import math

import jax

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import Layer, layer

__all__ = ["gaussian_dropout", "gaussian_noise"]


class Noisy(Layer):
    draws = True

    def params(self, x):
        expect_float(x)
        return {}

    def noise(self, x, ctx):
        return jax.random.normal(ctx.rng(), x.shape, x.dtype)


@layer
class gaussian_noise(Noisy):
    """Adds Gaussian noise with standard deviation `stddev` in training.

    Shapes: any, unchanged. Elsewhere: Keras `GaussianNoise`.
    """

    stddev: float

    def validate(self):
        if self.stddev < 0:
            raise ConfigError("a stddev of at least 0", str(self.stddev))

    def forward(self, p, x, ctx):
        return x + self.stddev * self.noise(x, ctx) if ctx.train and self.stddev else x


@layer
class gaussian_dropout(Noisy):
    """Multiplies by Gaussian noise with mean 1 and dropout's variance, `rate / (1 - rate)`, in training.

    Srivastava et al., Dropout, 2014. Shapes: any, unchanged. Elsewhere: Keras `GaussianDropout`.
    """

    rate: float

    def validate(self):
        if not 0 <= self.rate < 1:
            raise ConfigError("a rate from 0 to below 1", str(self.rate))

    def forward(self, p, x, ctx):
        if not ctx.train or self.rate == 0:
            return x
        return x * (1 + math.sqrt(self.rate / (1 - self.rate)) * self.noise(x, ctx))
