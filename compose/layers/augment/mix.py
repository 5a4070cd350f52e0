"""Mixing of images in a batch, together with their labels, in training."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float, shape_text
from compose.core.layer import Layer, layer
from compose.layers.window import space_axes

__all__ = ["cut_mix", "mix_up"]


class Mixing(Layer):
    """Mixes each image, and its label if there are labels, with another example of the batch."""

    draws = True
    alpha: float | tuple[float, float]

    def validate(self):
        low, high = self.alpha if isinstance(self.alpha, tuple) else (self.alpha, self.alpha)
        if not 0 < low <= high:
            raise ConfigError("an alpha above 0, or a pair (low, high)", str(self.alpha))

    def params(self, x):
        images, *labels = x if isinstance(x, tuple) else (x,)
        if len(labels) > 1 or any(y.ndim != 2 or images.shape[:1] != y.shape[:1] for y in labels):
            raise ShapeError("images (batch, height, width, channels) and labels (batch, classes)", shape_text(x))
        space_axes(images, False, (1, 1))
        for part in (images, *labels):
            expect_float(part)
        return {}

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        images, *labels = x if isinstance(x, tuple) else (x,)
        dtype, alpha = jnp.promote_types(images.dtype, jnp.float32), self.alpha
        if isinstance(alpha, tuple):
            alpha = jax.random.uniform(ctx.rng("alpha"), (), dtype, *alpha)
        weight = jax.random.beta(ctx.rng("weight"), alpha, alpha, images.shape[:1], dtype)
        kept = self.kept(weight[:, None, None, None], images.shape[1:3], ctx)
        other = jax.random.permutation(ctx.rng("other"), images.shape[0])
        mixed = blend(kept, images, other)
        return (mixed, *(blend(kept.mean((1, 2, 3))[:, None], y, other) for y in labels)) if labels else mixed

    def kept(self, weight, size, ctx):
        """The weight of the original pixels; it broadcasts to `(batch, height, width, 1)`."""
        raise NotImplementedError


@layer
class mix_up(Mixing):
    """`w · x + (1 - w) · other` for images and labels, with w from Beta(alpha, alpha) (Zhang et al., 2017).

    Every example has its own w; the other examples are a permutation of the batch.

    Shapes: `((batch, height, width, channels), (batch, classes))`, or images alone, unchanged; labels are one-hot or
    probabilities. Elsewhere: Keras `MixUp`.

    Args:
        alpha: above 0; or a pair (low, high), of which one is drawn for the whole batch.
    """

    alpha: float | tuple[float, float] = 0.2

    def kept(self, weight, size, ctx):
        return weight


@layer
class cut_mix(Mixing):
    """Replaces a box of each image by another image's, and mixes the labels by area (Yun et al., 2019).

    The box's sides are `sqrt(1 - w)` of the image's, with w from Beta(alpha, alpha), at a uniform position in it.

    Shapes: `((batch, height, width, channels), (batch, classes))`, or images alone, unchanged; labels are one-hot or
    probabilities. Elsewhere: Keras `CutMix`, whose factor is a range of alpha, and which computes the area before
    rounding the box to pixels.

    Args:
        alpha: above 0; or a pair (low, high), of which one is drawn for the whole batch.
    """

    alpha: float | tuple[float, float] = 1.0

    def kept(self, weight, size, ctx):
        side, inside = jnp.sqrt(1 - weight), True
        for axis, n in enumerate(size, 1):
            start = jax.random.uniform(ctx.rng(f"at {axis}"), weight.shape, weight.dtype) * (1 - side) * n
            pixel = jnp.arange(n).reshape([n if i == axis else 1 for i in range(4)])
            inside = inside & (pixel >= start) & (pixel < start + side * n)
        return 1 - jnp.asarray(inside, weight.dtype)


def blend(kept, x, other):
    """`kept · x + (1 - kept) · x[other]`."""
    return (kept * x + (1 - kept) * x[other]).astype(x.dtype)
