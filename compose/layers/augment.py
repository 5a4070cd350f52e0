"""Random changes of images in training: each example's own draw; in inference nothing is random."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.pad import center_crop, fitting
from compose.layers.window import Sizes, space_axes

__all__ = ["random_brightness", "random_contrast", "random_crop", "random_flip"]


class Shifting(Layer):
    """What changes the values of each example by a draw of its own."""

    draws = True

    def params(self, x):
        expect_float(x)
        return {}

    def uniform(self, x, ctx, low: float, high: float):
        """A number for each example, so shaped that it broadcasts to `x`."""
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return jax.random.uniform(ctx.rng(), shape, x.dtype, low, high)


@layer
class random_flip(Layer):
    """Turns each image around with probability one half along each axis named.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomFlip`, whose default mode is both.
    """

    mode: Literal["horizontal", "vertical", "both"] = "horizontal"

    draws = True

    def forward(self, p, x, ctx):
        height, width = space_axes(x, False, (1, 1))
        if not ctx.train:
            return x
        axes = {"horizontal": [width], "vertical": [height], "both": [height, width]}[self.mode]
        for axis in axes:
            turn = jax.random.bernoulli(ctx.rng(str(axis)), 0.5, (x.shape[0], 1, 1, 1))
            x = jnp.where(turn, jnp.flip(x, axis), x)
        return x


@layer
class random_crop(Layer):
    """A part of `size` from a random place, of each example its own; in inference the middle.

    Shapes: `(batch, *space, channels) -> (batch, *size, channels)`. After `pad(4)` it shifts by up to 4.
    Elsewhere: Keras `RandomCrop`, which in inference resizes.
    """

    size: Sizes

    draws = True

    def forward(self, p, x, ctx):
        axes, size = fitting(x, self.size, False)
        if not ctx.train:
            return center_crop(self.size).forward(p, x, ctx)
        room = jnp.array([x.shape[i] - n + 1 for i, n in zip(axes, size)])
        starts = jax.random.randint(ctx.rng(), (x.shape[0], len(axes)), 0, room)
        window = (*size, x.shape[-1])
        cut = lambda one, start: jax.lax.dynamic_slice(one, (*start, 0), window)
        return jax.vmap(cut)(x, starts)


@layer
class random_contrast(Shifting):
    """`(x - mean) · c + mean`, the mean over each example's space, c uniform in `1 ± factor`.

    Shapes: `(batch, *space, channels)`, unchanged. Elsewhere: Keras `RandomContrast`, which also cuts to its
    `value_range`: add `clip`.
    """

    factor: float

    def validate(self):
        if not 0 <= self.factor <= 1:
            raise ConfigError("a factor from 0 to 1", str(self.factor))

    def forward(self, p, x, ctx):
        axes = space_axes(x)
        if not ctx.train:
            return x
        mean = x.mean(axes, keepdims=True)
        return (x - mean) * self.uniform(x, ctx, 1 - self.factor, 1 + self.factor) + mean


@layer
class random_brightness(Shifting):
    """`x + b`, b uniform in `± factor`, of each example its own.

    Shapes: `(batch, ...)`, unchanged. Elsewhere: Keras `RandomBrightness`, whose factor is a share of its
    `value_range`, to which it also cuts: add `clip`.
    """

    factor: float

    def validate(self):
        if self.factor < 0:
            raise ConfigError("a factor of at least 0", str(self.factor))

    def forward(self, p, x, ctx):
        return x + self.uniform(x, ctx, -self.factor, self.factor) if ctx.train else x
