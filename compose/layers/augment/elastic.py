"""Random elastic deformation of images."""

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
    """Displaces every pixel by smoothed Gaussian noise, with probability `rate` (Simard et al., 2003).

    Noise with standard deviation `sigma = 0.05 · scale · min(height, width)` is blurred by a Gaussian of the same
    standard deviation and multiplied by `0.1 · scale · max(height, width)`, independently for rows and columns.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomElasticTransform`, which uses one
    noise for both axes, draws one scale per batch from 0 to its `scale` and clips to its `value_range`: add `clip`.

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
        """The images displaced by standard noise `(batch, height, width, 2)` for rows and columns."""
        size = x.shape[1:3]
        sigma, reach = 0.05 * self.scale * min(size), 0.1 * self.scale * max(size)
        smooth = random_gaussian_blur(int(6 * sigma) | 1, sigma).change(noise * sigma)
        at = places(size, noise.dtype) + reach * jnp.moveaxis(smooth, -1, 1)
        return sampled(x, at, self.fill_mode, self.fill_value).astype(x.dtype)
