"""Max pooling with indices, and unpooling."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, layer
from compose.layers.pool.window import lowest, pool_window
from compose.layers.window import Padding, Sizes, channel_axis, pairs, sizes, space_axes

__all__ = ["max_pool_indices", "max_unpool"]


@layer
class max_pool_indices(Layer):
    """`max_pool` that also returns the index of each maximum in the flattened spatial axes.

    Shapes: `(batch, *space, channels)` to two arrays `(batch, *space', channels)`, the second int32.
    Elsewhere: torch `MaxPool1d/2d/3d(return_indices=True)`.

    Args:
        size, stride, padding, dilation, ceil_mode, channels_first: as in `max_pool`.
    """

    size: Sizes = 2
    stride: Sizes | None = None
    padding: Padding = "valid"
    dilation: Sizes = 1
    ceil_mode: bool = False
    channels_first: bool = False

    def forward(self, p, x, ctx):
        over = pool_window(self, x, self.dilation)
        where = np.arange(math.prod(over.space), dtype=np.int32)
        where = where.reshape([n if i in over.axes else 1 for i, n in enumerate(x.shape)])
        where = jnp.broadcast_to(where, x.shape)
        (best, index), *others = zip(over.slides(x, lowest(x.dtype)), over.slides(where))
        for value, at in others:
            larger = (value > best) | (value != value)
            best, index = jnp.where(larger, value, best), jnp.where(larger, at, index)
        return best, index


@layer
class max_unpool(Layer):
    """Puts each value back at its index from `max_pool_indices`, with zeros elsewhere.

    Shapes: two arrays `(batch, *space, channels) -> (batch, *space', channels)`, of length
    `(length - 1) · stride - padding + size`. Elsewhere: torch `MaxUnpool1d/2d/3d`.

    Args:
        size, stride, padding, channels_first: those of the pooling.
        out_size: the length along each spatial axis, needed if pooling rounded it down; None computes it.
    """

    size: Sizes = 2
    stride: Sizes | None = None
    padding: int | tuple[int | tuple[int, int], ...] = 0
    out_size: Sizes | None = None
    channels_first: bool = False

    def forward(self, p, x, ctx):
        if not isinstance(x, tuple) or len(x) != 2 or x[0].shape != x[1].shape:
            raise ShapeError(
                "values and indices of the same shape", shape_text(x), "use the outputs of max_pool_indices(...)"
            )
        y, index = x
        axes, at = space_axes(y, self.channels_first, self.size), channel_axis(y, self.channels_first)
        size = sizes(self.size, len(axes))
        stride = size if self.stride is None else sizes(self.stride, len(axes))
        cut = map(sum, pairs(self.padding, len(axes)))
        if self.out_size is not None:
            space = sizes(self.out_size, len(axes))
        else:
            space = tuple((y.shape[i] - 1) * s - c + k for i, s, c, k in zip(axes, stride, cut, size))
        if min(space) < 1:
            raise ConfigError("padding that leaves some output", str(self.padding))
        rows = lambda a: jnp.moveaxis(a, at, 1).reshape(a.shape[0], a.shape[at], -1)
        scatter = lambda values, at: jnp.zeros(math.prod(space), y.dtype).at[at].set(values)
        unpooled = jax.vmap(jax.vmap(scatter))(rows(y), rows(index))
        return jnp.moveaxis(unpooled.reshape(*unpooled.shape[:2], *space), 1, at)
