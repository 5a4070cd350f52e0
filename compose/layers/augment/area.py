"""Random blur and random erasing of images."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import layer
from compose.layers.augment.color import Chosen
from compose.layers.conv.convolve import convolve
from compose.layers.window import space_axes, window

__all__ = ["random_erasing", "random_gaussian_blur"]


@layer
class random_gaussian_blur(Chosen):
    """Blurs each image with a Gaussian of standard deviation `sigma`, with probability `rate`, padding with zeros.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomGaussianBlur`, whose sigma may be a
    range.

    Args:
        size: the window size, odd.
        sigma: the standard deviation in pixels.
        rate: the probability.
    """

    size: int = 3
    sigma: float = 1.0
    rate: float = 1.0

    def validate(self):
        super().validate()
        if self.size < 1 or self.size % 2 == 0 or self.sigma <= 0:
            raise ConfigError("an odd size and a sigma above 0", f"{self.size}, {self.sigma}")

    def params(self, x):
        expect_float(x)
        return {}

    def change(self, x):
        far = np.arange(self.size) - self.size // 2
        bell = np.exp(-(far**2) / (2 * self.sigma**2))
        bell = np.outer(bell, bell) / bell.sum() ** 2
        kernel = jnp.broadcast_to(jnp.asarray(bell, x.dtype)[..., None, None], (*bell.shape, 1, x.shape[-1]))
        return convolve(x, kernel, window(x, bell.shape, padding="same"), x.shape[-1], False)


@layer
class random_erasing(Chosen):
    """Fills a box of each image at a random place with `fill_value`, with probability `rate` (Zhong et al., 2017).

    The box's height and width are those of the image times the root of a number drawn from `scale`; the box may extend
    beyond the image.
    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomErasing`, whose default fill is
    noise.
    """

    rate: float = 1.0
    scale: tuple[float, float] = (0.02, 0.33)
    fill_value: float = 0.0

    def validate(self):
        super().validate()
        if not 0 <= self.scale[0] <= self.scale[1] <= 1:
            raise ConfigError("a scale of two fractions of the image, the smaller first", str(self.scale))

    def forward(self, p, x, ctx):
        axes = space_axes(x, False, (1, 1))
        if not ctx.train:
            return x
        inside = jax.random.bernoulli(ctx.rng("choose"), self.rate, (x.shape[0], 1, 1, 1))
        for axis in axes:
            n = x.shape[axis]
            share, middle = (jax.random.uniform(ctx.rng(f"{what} {axis}"), (x.shape[0],)) for what in ("share", "at"))
            share, middle = self.scale[0] + (self.scale[1] - self.scale[0]) * share, n * middle
            near = jnp.abs(jnp.arange(n) + 0.5 - middle[:, None]) <= jnp.sqrt(share)[:, None] * n / 2
            inside = inside & jnp.expand_dims(near, tuple(i for i in range(1, 4) if i != axis))
        return jnp.where(inside, jnp.asarray(self.fill_value, x.dtype), x)
