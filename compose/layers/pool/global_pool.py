"""Global pooling, and adaptive pooling to a given number of bins."""

from __future__ import annotations

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float
from compose.core.function import function, under_mask
from compose.core.layer import Layer, layer
from compose.core.padding import like_steps
from compose.layers.slicing import take_slice
from compose.layers.window import space_axes

__all__ = ["adaptive_avg_pool", "adaptive_max_pool", "global_avg_pool", "global_max_pool"]


@function(floats=True)
def global_avg_pool(x, keepdims: bool = False, channels_first: bool = False):
    """The mean over the spatial axes.

    Shapes: `(batch, *space, channels) -> (batch, channels)`; with `keepdims`, spatial axes of length 1.
    Elsewhere: Keras `GlobalAveragePooling1D/2D/3D`, torch `AdaptiveAvgPool1d/2d/3d(1)`.
    """
    return x.mean(space_axes(x, channels_first), keepdims=keepdims)


@function
def global_max_pool(x, keepdims: bool = False, channels_first: bool = False):
    """The maximum over the spatial axes.

    Ties share the gradient, as in torch's `amax`.

    Shapes: `(batch, *space, channels) -> (batch, channels)`; with `keepdims`, spatial axes of length 1.
    Elsewhere: Keras `GlobalMaxPooling1D/2D/3D`, torch `AdaptiveMaxPool1d/2d/3d(1)`.
    """
    return x.max(space_axes(x, channels_first), keepdims=keepdims)


@under_mask(global_avg_pool)
def _mean_of_real(x, mask, keepdims: bool = False, channels_first: bool = False):
    """The mean over the steps that are real; 0 if none is."""
    axes, real = space_axes(x), like_steps(mask, x)
    count = jnp.maximum(jnp.broadcast_to(real, (*x.shape[:-1], 1)).sum(axes, keepdims=keepdims), 1)
    return jnp.where(real, x, 0).sum(axes, keepdims=keepdims) / count.astype(x.dtype)


@under_mask(global_max_pool)
def _largest_of_real(x, mask, keepdims: bool = False, channels_first: bool = False):
    """The maximum over the steps that are real; 0 if none is."""
    axes, real = space_axes(x), like_steps(mask, x)
    least = -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min
    best = jnp.where(real, x, least).max(axes, keepdims=keepdims)
    return jnp.where(real.any(axes, keepdims=keepdims), best, 0)


class Adaptive(Layer):
    """Pooling to `size` bins of nearly equal length, for any input length.

    Bin i of n covers `floor(i · length / n)` up to `ceil((i + 1) · length / n)`; bins overlap if the length is not
    a multiple of n.
    """

    size: int | tuple[int | None, ...]
    channels_first: bool

    def validate(self):
        if any(n is not None and n < 1 for n in ([self.size] if isinstance(self.size, int) else self.size)):
            raise ConfigError("a size of at least 1", str(self.size))

    def forward(self, p, x, ctx):
        axes = space_axes(x, self.channels_first, self.size)
        bins = (self.size,) * len(axes) if isinstance(self.size, int) else self.size
        for axis, n in zip(axes, bins):
            x = x if n is None else self.bin(x, axis, n)
        return x

    def bin(self, x, axis: int, n: int):
        length = x.shape[axis]
        if length == 0:
            raise ShapeError("an axis that is not empty", f"axis {axis} of length 0")
        if length % n == 0:
            return self.reduce(x.reshape(*x.shape[:axis], n, length // n, *x.shape[axis + 1 :]), axis + 1)
        edges = ((i * length // n, -(-(i + 1) * length // n)) for i in range(n))
        cut = (slice(None),) * axis
        return jnp.stack([self.reduce(take_slice(x, *cut, slice(a, b)), axis) for a, b in edges], axis)

    def reduce(self, x, axis: int):
        raise NotImplementedError


@layer
class adaptive_avg_pool(Adaptive):
    """The mean of each of `size` bins: a fixed output shape for any input shape.

    Bin i of n covers `floor(i · length / n)` up to `ceil((i + 1) · length / n)`.
    Shapes: `(batch, *space, channels) -> (batch, *size, channels)`.
    Elsewhere: torch `AdaptiveAvgPool1d/2d/3d`, Keras `AdaptiveAveragePooling1D/2D/3D`.

    Args:
        size: the number of bins along each spatial axis; an int applies to all, None keeps an axis unchanged.
        channels_first: the input is `(batch, channels, *space)`.
    """

    size: int | tuple[int | None, ...]
    channels_first: bool = False

    def params(self, x):
        expect_float(x)
        return {}

    def reduce(self, x, axis):
        return x.mean(axis)


@layer
class adaptive_max_pool(Adaptive):
    """The maximum of each of `size` bins, as in `adaptive_avg_pool`; ties share the gradient.

    Shapes: `(batch, *space, channels) -> (batch, *size, channels)`.
    Elsewhere: torch `AdaptiveMaxPool1d/2d/3d`, where the first of several ties gets the gradient; Keras
    `AdaptiveMaxPooling1D/2D/3D`.
    """

    size: int | tuple[int | None, ...]
    channels_first: bool = False

    def reduce(self, x, axis):
        return x.max(axis)
