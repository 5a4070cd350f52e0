"""Sliding windows as channels (im2col), and back."""

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
    """The values of each window as channels (im2col).

    Shapes: `(batch, *space, n) -> (batch, *space', n · window)`, with the values of one channel contiguous.
    Elsewhere: torch `Unfold`, where the positions of all windows are flattened into the last axis.

    Args:
        size: window size along each spatial axis; an int applies to all.
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
    """Sums overlapping windows into an output of `out_size` (col2im), the transpose of `unfold`.

    Shapes: `(batch, *space', n · window) -> (batch, *out_size, n)`. Elsewhere: torch `Fold`.

    Args:
        out_size: output length along each spatial axis; an int applies to all.
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
        window_size = math.prod(sizes(self.size, rank))
        if x.shape[at] % window_size:
            raise ShapeError(f"channels divisible by the window size {window_size}", f"{x.shape[at]} channels")
        lengths = dict(zip(axes, sizes(self.out_size, rank))) | {at: x.shape[at] // window_size}
        out = jax.ShapeDtypeStruct(tuple(lengths.get(i, n) for i, n in enumerate(x.shape)), x.dtype)
        windows = unfold(self.size, self.stride, self.padding, self.dilation, self.channels_first)
        take = lambda image: windows.forward({}, image, ctx)
        expected = jax.eval_shape(take, out).shape
        if expected != x.shape:
            raise ShapeError(f"an input of shape {expected}, as from unfold", f"shape {tuple(x.shape)}")
        return jax.linear_transpose(take, out)(x)[0]
