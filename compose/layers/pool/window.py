"""Pooling over windows: maximum, mean or Lp norm."""

from __future__ import annotations

import functools
import operator

import jax.numpy as jnp
import numpy as np
from jax import lax

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.pool.largest import largest
from compose.layers.window import Padding, Sizes, Window, window

__all__ = ["avg_pool", "lp_pool", "max_pool"]


@layer
class max_pool(Layer):
    """The maximum of each window: `max_pool(2)` halves the spatial axes.

    Shapes: `(batch, *space, channels) -> (batch, *space', channels)`, one to three spatial axes. Padding is
    never the maximum. The first of several ties gets the gradient, as in torch.
    Elsewhere: Keras `MaxPooling1D/2D/3D`, torch `MaxPool1d/2d/3d` with these defaults; Flax `max_pool`, whose
    stride is 1.

    Args:
        size: window size along each spatial axis; an int applies to all.
        stride: None for the window size.
        padding: `"valid"`, `"same"`, an int, or for each axis an int or `(before, after)`.
        dilation: distance between the values of a window.
        ceil_mode: include windows that extend beyond the padded input, except those that start in the padding after it.
        channels_first: the input is `(batch, channels, *space)`.
    """

    size: Sizes = 2
    stride: Sizes | None = None
    padding: Padding = "valid"
    dilation: Sizes = 1
    ceil_mode: bool = False
    channels_first: bool = False

    def forward(self, p, x, ctx):
        over = pool_window(self, x, self.dilation)
        least = lowest(x.dtype)
        if max(over.dilation) > 1:  # JAX has no gradient for a dilated reduce_window
            return largest(x, over, least)
        return lax.platform_dependent(
            x, cpu=lambda x: largest(x, over, least), default=lambda x: over.reduce(x, least, lax.max)
        )


@layer
class avg_pool(Layer):
    """The mean of each window.

    Shapes: `(batch, *space, channels) -> (batch, *space', channels)`, one to three spatial axes.
    Elsewhere: torch `AvgPool1d/2d/3d` with these defaults; Flax `avg_pool`, whose stride is 1; Keras
    `AveragePooling1D/2D/3D`, which never counts padding (`count_padding=False`).

    Args:
        size, stride, padding, ceil_mode, channels_first: as in `max_pool`.
        count_padding: whether padding zeros are included in the mean.
    """

    size: Sizes = 2
    stride: Sizes | None = None
    padding: Padding = "valid"
    ceil_mode: bool = False
    count_padding: bool = True
    channels_first: bool = False

    def params(self, x):
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        over = pool_window(self, x)
        return over.reduce(x, np.zeros((), x.dtype), lax.add) / counted(over, x, self.count_padding)


@layer
class lp_pool(Layer):
    """The Lp norm of each window, `(Σ |x|^power)^(1 / power)`; the gradient of an all-zero window is 0.

    Shapes: `(batch, *space, channels) -> (batch, *space', channels)`, one to three spatial axes.
    Elsewhere: torch `LPPool1d/2d/3d`, which takes no absolute value: it is equal for even powers. As in torch, a
    window that extends beyond the input in `ceil_mode` counts as the mean of what it covers, times its full size.

    Args:
        power: 1 is the sum; larger powers approach the maximum.
        size, stride, padding, ceil_mode, channels_first: as in `max_pool`.
    """

    power: float
    size: Sizes = 2
    stride: Sizes | None = None
    padding: Padding = "valid"
    ceil_mode: bool = False
    channels_first: bool = False

    def validate(self):
        if self.power <= 0:
            raise ConfigError("a power above 0", str(self.power))

    def params(self, x):
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        over = pool_window(self, x)
        power = int(self.power) if self.power.is_integer() else self.power
        raised = x**power if power % 2 == 0 else jnp.abs(x) ** power
        total = over.reduce(raised, np.zeros((), x.dtype), lax.add)
        if any(over.overhang):
            total = total * (np.prod(over.size) / counted(over, x, True))
        zero = total == 0
        return jnp.where(zero, 0, jnp.where(zero, 1, total) ** (1 / self.power))


def pool_window(pool, x, dilation: Sizes = 1) -> Window:
    """The window of a pooling layer. Raises `ConfigError` if a window could contain nothing but padding."""
    over = window(x, pool.size, pool.stride, pool.padding, dilation, pool.channels_first, pool.ceil_mode)
    if any(max(pair) >= span for pair, span in zip(over.padding, over.spans)):
        raise ConfigError("padding smaller than the window", f"padding {pool.padding}, size {pool.size}")
    return over


def counted(over: Window, x, padding: bool):
    """The number of values in each window's mean: a scalar if it is the same for all, else an array."""
    counts = []
    rows = zip(over.space, over.padding, over.places, over.stride, over.size)
    for n, (before, after), places, stride, size in rows:
        seen = np.arange(places)[:, None] * stride + np.arange(size)
        first, last = (0, before + n + after) if padding else (before, before + n)
        counts.append(((seen >= first) & (seen < last)).sum(1))
    if all((c == c[0]).all() for c in counts):
        return np.asarray(np.prod([c[0] for c in counts]), x.dtype)
    shaped = (c.reshape([-1 if i == axis else 1 for i in range(x.ndim)]) for axis, c in zip(over.axes, counts))
    return functools.reduce(operator.mul, shaped).astype(x.dtype)


def lowest(dtype):
    """The lowest value of a dtype."""
    return np.asarray(-np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min, dtype)
