"""A random elastic deformation of images in training."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import layer
from compose.layers.augment.area import random_gaussian_blur
from compose.layers.augment.color import Chosen
from compose.layers.augment.warp import Fill, places, sampled
from compose.layers.window import space_axes

__all__ = ["random_elastic_transform"]


@layer
class random_elastic_transform(Chosen):
    """Moves every pixel by normal noise smoothed over its neighbours, with probability `rate` (Simard et al., 2003).

    The noise of deviation `sigma = 0.05 · scale · min(height, width)` is blurred by a Gaussian of that deviation and
    moves by `0.1 · scale · max(height, width)` times itself; rows and columns draw each their own.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomElasticTransform`, which moves both
    axes by the same noise, draws the batch's scale from 0 to its `scale` and cuts to its `value_range`: add `clip`.

    Args:
        scale: above 0.
        rate: the probability.
        fill_mode, fill_value: as in `random_rotation`.
    """

    scale: float
    rate: float = 1.0
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0

    def validate(self):
        super().validate()
        if self.scale <= 0:
            raise ConfigError("a scale above 0", str(self.scale))

    def params(self, x):
        space_axes(x, False, (1, 1))
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        dtype = jnp.promote_types(x.dtype, jnp.float32)
        noise = jax.random.normal(ctx.rng("move"), (*x.shape[:3], 2), dtype)
        chosen = jax.random.bernoulli(ctx.rng("choose"), self.rate, (x.shape[0], 1, 1, 1))
        return jnp.where(chosen, self.moved(x, noise), x)

    def moved(self, x, noise):
        """The images moved by standard noise for each pixel's row and column, `(batch, height, width, 2)`."""
        size = x.shape[1:3]
        sigma, reach = 0.05 * self.scale * min(size), 0.1 * self.scale * max(size)
        smooth = random_gaussian_blur(int(6 * sigma) | 1, sigma).change(noise * sigma)
        at = places(size, noise.dtype) + reach * jnp.moveaxis(smooth, -1, 1)
        return sampled(x, at, self.fill_mode, self.fill_value).astype(x.dtype)
