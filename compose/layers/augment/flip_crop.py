"""Random flips, crops, brightness and contrast, drawn for each example in training."""

from __future__ import annotations

from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.pad import center_crop, fitting
from compose.layers.window import Sizes, space_axes

__all__ = ["random_brightness", "random_contrast", "random_crop", "random_flip"]

Factor = float | tuple[float, float]


class Shifting(Layer):
    """A transformation by one random number per example, uniform in `± factor` or between a pair of numbers."""

    draws = True
    factor: Factor
    channels: ClassVar[int | None] = None  # the required number of channels
    either_sign: bool = False  # whether the number is multiplied by -1 with probability 1/2

    def validate(self):
        if (isinstance(self.factor, float) and self.factor < 0) or (
            isinstance(self.factor, tuple) and self.low > self.high
        ):
            raise ConfigError("a factor of at least 0, or a pair (low, high)", str(self.factor))

    def params(self, x):
        space_axes(x, False, (1, 1))
        expect_float(x)
        if self.channels not in (None, x.shape[-1]):
            raise ShapeError(f"images with {self.channels} channels", f"{x.shape[-1]} channels in {tuple(x.shape)}")
        return {}

    @property
    def low(self) -> float:
        return self.factor[0] if isinstance(self.factor, tuple) else -self.factor

    @property
    def high(self) -> float:
        return self.factor[1] if isinstance(self.factor, tuple) else self.factor

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        by = jax.random.uniform(ctx.rng(), shape, x.dtype, self.low, self.high)
        return self.change(x, by * self.sign(ctx, shape, x.dtype))

    def sign(self, ctx, shape, dtype):
        return jax.random.rademacher(ctx.rng("sign"), shape).astype(dtype) if self.either_sign else 1

    def change(self, x, by):
        """The images, transformed by one number each, of shape `(batch, 1, 1, 1)`."""
        raise NotImplementedError


@layer
class random_flip(Layer):
    """Flips each image along each axis of `mode` with probability 1/2.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomFlip`, whose default mode is both,
    with `together=True`.

    Args:
        mode: `"horizontal"`, `"vertical"` or `"both"`.
        together: whether one draw flips along both axes, which turns the image by half a turn.
    """

    mode: Literal["horizontal", "vertical", "both"] = "horizontal"
    together: bool = False

    draws = True

    def forward(self, p, x, ctx):
        height, width = space_axes(x, False, (1, 1))
        if not ctx.train:
            return x
        axes = {"horizontal": [width], "vertical": [height], "both": [height, width]}[self.mode]
        for axis in axes:
            chosen = ctx.rng(str(axes[0] if self.together else axis))
            flipped = jax.random.bernoulli(chosen, 0.5, (x.shape[0], 1, 1, 1))
            x = jnp.where(flipped, jnp.flip(x, axis), x)
        return x


@layer
class random_crop(Layer):
    """Crops each example to `size` at a random position; at the centre in inference.

    Shapes: `(batch, *space, channels) -> (batch, *size, channels)`. After `pad(4)`, it shifts by up to 4.
    Elsewhere: Keras `RandomCrop`, with `per="batch", inference="whole"`.

    Args:
        size: a number, or one for each axis.
        per: whether each `"example"` has a position of its own, or the `"batch"` one.
        inference: `"center"`, or `"whole"` for images that are not cropped.
    """

    size: Sizes
    per: Literal["example", "batch"] = "example"
    inference: Literal["center", "whole"] = "center"

    draws = True

    def forward(self, p, x, ctx):
        axes, size = fitting(x, self.size, False)
        if not ctx.train:
            return x if self.inference == "whole" else center_crop(self.size).forward(p, x, ctx)
        room = jnp.array([x.shape[i] - n + 1 for i, n in zip(axes, size)])
        starts = jax.random.randint(ctx.rng(), (x.shape[0] if self.per == "example" else 1, len(axes)), 0, room)
        starts = jnp.broadcast_to(starts, (x.shape[0], len(axes)))
        window = (*size, x.shape[-1])
        cut = lambda one, start: jax.lax.dynamic_slice(one, (*start, 0), window)
        return jax.vmap(cut)(x, starts)


@layer
class random_contrast(Shifting):
    """`(x - mean) · (1 + c) + mean`, with each example's spatial mean and c uniform in `± factor`.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomContrast`, whose pair is
    `(-low, high)` and whose `value_range` is from 0 to 255 by default.

    Args:
        factor: a number, or a pair (low, high).
        value_range: what the result is clipped to, in training alone; None for no clipping.
    """

    factor: Factor
    value_range: tuple[float, float] | None = None

    def change(self, x, by):
        mean = x.mean(space_axes(x), keepdims=True)
        return within((x - mean) * (1 + by) + mean, self.value_range)


@layer
class random_brightness(Shifting):
    """`x + b`, with b uniform in `± factor` for each example.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomBrightness`, whose factor is a
    fraction of its `value_range`, by default from 0 to 255.

    Args:
        factor: a number, or a pair (low, high).
        value_range: as in `random_contrast`.
    """

    factor: Factor
    value_range: tuple[float, float] | None = None

    def change(self, x, by):
        return within(x + by, self.value_range)


def within(x, value_range: tuple[float, float] | None):
    return x if value_range is None else jnp.clip(x, *value_range)
