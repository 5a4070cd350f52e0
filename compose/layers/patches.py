"""Windows as channels, and back."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from compose.core.errors import ShapeError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.window import Padding, Sizes, channel_axis, sizes, space_axes, window

__all__ = ["fold", "unfold"]


@layer
class unfold(Layer):
    """The values of each window as channels of one place (im2col).

    Shapes: `(batch, *space, n) -> (batch, *space', n · window)`, the values of one channel together.
    Elsewhere: torch `Unfold`, whose places are one axis and the last.

    Args:
        size: of the window along each spatial axis; one int serves all.
        stride, padding, dilation, channels_first: as in `conv`; padding is 0 by default.
    """

    size: Sizes
    stride: Sizes = 1
    padding: Padding = 0
    dilation: Sizes = 1
    channels_first: bool = False

    def forward(self, p, x, ctx):
        over = window(x, self.size, self.stride, self.padding, self.dilation, self.channels_first)
        at = channel_axis(x, self.channels_first)
        stacked = jnp.stack(over.slides(x), at + 1)
        return stacked.reshape(*stacked.shape[:at], -1, *stacked.shape[at + 2 :])


@layer
class fold(Layer):
    """The sum of windows that `unfold` would take from an output of `out_size` places (col2im).

    Shapes: `(batch, *space', n · window) -> (batch, *out_size, n)`. Elsewhere: torch `Fold`.

    Args:
        out_size: length of the output along each spatial axis; one int serves all.
        size, stride, padding, dilation, channels_first: as in `unfold`.
    """

    out_size: Sizes
    size: Sizes
    stride: Sizes = 1
    padding: Padding = 0
    dilation: Sizes = 1
    channels_first: bool = False

    def params(self, x):
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        axes = space_axes(x, self.channels_first, self.out_size, self.size)
        rank, at = len(axes), channel_axis(x, self.channels_first)
        per_place = math.prod(sizes(self.size, rank))
        if x.shape[at] % per_place:
            raise ShapeError(f"channels that a window of {per_place} divides", f"{x.shape[at]} channels")
        lengths = dict(zip(axes, sizes(self.out_size, rank))) | {at: x.shape[at] // per_place}
        whole = jax.ShapeDtypeStruct(tuple(lengths.get(i, n) for i, n in enumerate(x.shape)), x.dtype)
        taken = unfold(self.size, self.stride, self.padding, self.dilation, self.channels_first)
        take = lambda whole: taken.forward({}, whole, ctx)
        places = jax.eval_shape(take, whole).shape
        if places != x.shape:
            raise ShapeError(f"an input of shape {places}, as unfold gives it", f"shape {tuple(x.shape)}")
        return jax.linear_transpose(take, whole)(x)[0]
