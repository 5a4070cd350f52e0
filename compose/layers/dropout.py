"""Dropout: zeroes parts of the input in training; the identity in inference."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.window import space_axes

__all__ = ["alpha_dropout", "drop_path", "dropout", "spatial_dropout"]


class Dropping(Layer):
    """The base of dropout layers. Each draw keeps or drops one element, or all elements along the shared axes."""

    draws = True
    rate: float

    def validate(self):
        if not 0 <= self.rate <= 1:
            raise ConfigError("a rate from 0 to 1", str(self.rate))

    def params(self, x):
        expect_float(x)
        return {}

    def broadcast_axes(self, x) -> tuple[int, ...]:
        """The axes along which one draw is shared."""
        raise NotImplementedError

    def kept(self, x, ctx):
        """The mask of what is kept; it broadcasts to `x`."""
        axes = self.broadcast_axes(x)
        if any(not -x.ndim <= axis < x.ndim for axis in axes):
            raise ShapeError(f"axes of the input's {x.ndim}", str(axes))
        shared = {axis % x.ndim for axis in axes}
        shape = tuple(1 if i in shared else n for i, n in enumerate(x.shape))
        return jax.random.bernoulli(ctx.rng(), 1 - self.rate, shape)

    def forward(self, p, x, ctx):
        if not ctx.train or self.rate == 0:
            return x
        if self.rate == 1:
            return jnp.zeros_like(x)
        return jnp.where(self.kept(x, ctx), x / (1 - self.rate), 0)


@layer
class dropout(Dropping):
    """Zeroes each element with probability `rate` in training and divides the rest by `1 - rate`.

    Srivastava et al., Dropout, 2014. Shapes: any, unchanged.
    Elsewhere: Keras `Dropout`, whose `noise_shape` is 1 for shared axes; torch `Dropout`; Flax `Dropout`, whose
    `broadcast_dims` are the shared axes.

    Args:
        rate: the probability of dropping.
        shared_axes: axes along which the dropout mask is broadcast.
    """

    rate: float
    shared_axes: tuple[int, ...] = ()

    def broadcast_axes(self, x):
        return self.shared_axes


@layer
class spatial_dropout(Dropping):
    """Zeroes whole channels with probability `rate` in training and divides the rest by `1 - rate`.

    Tompson et al., Efficient Object Localization, 2015. Shapes: `(batch, *space, channels)`, unchanged.
    Elsewhere: Keras `SpatialDropout1D/2D/3D`, torch `Dropout1d/2d/3d`.

    Args:
        rate: the probability of dropping.
        channels_first: the input is `(batch, channels, *space)`.
    """

    rate: float
    channels_first: bool = False

    def broadcast_axes(self, x):
        return space_axes(x, self.channels_first)


@layer
class drop_path(Dropping):
    """Zeroes whole examples and divides the rest by `1 - rate`; at the end of a residual branch, it drops the branch.

    Huang et al., Stochastic Depth, 2016. Shapes: `(batch, ...)`, unchanged.
    Elsewhere: timm `DropPath`, torchvision `StochasticDepth(mode="row")`.

    >>> from compose import fc, residual
    >>> residual(fc(8) >> drop_path(0.1)).out(8)
    (8,)
    """

    rate: float

    def broadcast_axes(self, x):
        return tuple(range(1, x.ndim))


@layer
class alpha_dropout(Dropping):
    """Dropout for `selu`: dropped elements get selu's lower limit, then mean and variance are restored.

    Klambauer et al., Self-Normalizing Neural Networks, 2017. Shapes: any, unchanged.
    Elsewhere: Keras and torch `AlphaDropout`; torch `FeatureAlphaDropout` shares the spatial axes.

    Args:
        rate: the probability of dropping, below 1.
        shared_axes: axes along which the dropout mask is broadcast.
    """

    rate: float
    shared_axes: tuple[int, ...] = ()

    def validate(self):
        if not 0 <= self.rate < 1:
            raise ConfigError("a rate from 0 to below 1", str(self.rate))

    def broadcast_axes(self, x):
        return self.shared_axes

    def forward(self, p, x, ctx):
        if not ctx.train or self.rate == 0:
            return x
        low = -1.7580993408473766  # -scale · alpha of selu
        factor = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        return jnp.where(self.kept(x, ctx), x, low) * factor - factor * low * self.rate
