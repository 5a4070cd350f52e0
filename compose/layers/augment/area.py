"""Random blur and random erasing of images."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import layer
from compose.layers.augment.color import Chosen
from compose.layers.augment.flip_crop import within
from compose.layers.conv.convolve import convolve
from compose.layers.window import space_axes, window

__all__ = ["random_erasing", "random_gaussian_blur"]


@layer
class random_gaussian_blur(Chosen):
    """Blurs each image with a Gaussian of standard deviation `sigma`, with probability `rate`, padding with zeros.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomGaussianBlur`, which draws the rate
    from 0 to its factor, so that half of it is the rate, and whose sizes are the width first.

    Args:
        size: the window's, odd: a number, or a pair (height, width).
        sigma: the standard deviation in pixels; or a pair (low, high), from which the whole batch's for the height and
            for the width are drawn.
        rate: the probability.
        value_range: what all images are clipped to, in training alone; None for no clipping.
    """

    size: int | tuple[int, int] = 3
    sigma: float | tuple[float, float] = 1.0
    rate: float = 1.0
    value_range: tuple[float, float] | None = None

    def validate(self):
        super().validate()
        low, high = self.sigmas
        if any(n < 1 or n % 2 == 0 for n in self.sizes) or not 0 < low <= high:
            raise ConfigError("odd sizes and a sigma above 0, or a pair (low, high)", f"{self.size}, {self.sigma}")

    @property
    def sizes(self) -> tuple[int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def sigmas(self) -> tuple[float, float]:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)

    def params(self, x):
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        chosen = jax.random.bernoulli(ctx.rng(), self.rate, (x.shape[0], 1, 1, 1))
        sigmas = self.sigmas
        if isinstance(self.sigma, tuple):
            sigmas = jax.random.uniform(ctx.rng("sigma"), (2,), x.dtype, *self.sigmas)
        return within(jnp.where(chosen, self.blurred(x, *sigmas), x), self.value_range)

    def change(self, x):
        return self.blurred(x, *self.sigmas)

    def blurred(self, x, *sigmas):
        """The images blurred by these standard deviations for height and width."""
        far = [np.arange(n) - n // 2 for n in self.sizes]
        rows, columns = (jnp.exp(-(jnp.asarray(at, x.dtype) ** 2) / (2 * s**2)) for at, s in zip(far, sigmas))
        bell = jnp.outer(rows / rows.sum(), columns / columns.sum())
        kernel = jnp.broadcast_to(bell[..., None, None], (*bell.shape, 1, x.shape[-1]))
        return convolve(x, kernel, window(x, bell.shape, padding="same"), x.shape[-1], False)


@layer
class random_erasing(Chosen):
    """Fills a box of each image at a random place with `fill_value`, with probability `rate` (Zhong et al., 2017).

    The box's height and width are those of the image times the root of a number drawn from `scale`.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomErasing`, with `inside=True`, which
    draws the rate from 0 to its factor, so that half of it is the rate, and whose default fill is noise.

    Args:
        rate: the probability.
        scale: a pair (low, high) of fractions of the image.
        fill_value: a number, one for each of three channels, or `"noise"` for Gaussian noise times the high end of the
            `value_range`.
        inside: whether the box lies inside the image; else its middle does.
        value_range: what the fill is clipped to; None for no clipping.
    """

    rate: float = 1.0
    scale: tuple[float, float] = (0.02, 0.33)
    fill_value: float | tuple[float, float, float] | Literal["noise"] = 0.0
    inside: bool = False
    value_range: tuple[float, float] | None = None

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
            side = jnp.sqrt(self.scale[0] + (self.scale[1] - self.scale[0]) * share)[:, None] * n
            if self.inside:
                start = middle[:, None] * (n - side)
                near = (jnp.arange(n) >= start) & (jnp.arange(n) < start + side)
            else:
                near = jnp.abs(jnp.arange(n) + 0.5 - n * middle[:, None]) <= side / 2
            inside = inside & jnp.expand_dims(near, tuple(i for i in range(1, 4) if i != axis))
        return jnp.where(inside, within(self.filling(x, ctx), self.value_range), x)

    def filling(self, x, ctx):
        if self.fill_value != "noise":
            return jnp.asarray(self.fill_value, x.dtype)
        return jax.random.normal(ctx.rng("noise"), x.shape, x.dtype) * (self.value_range or (0, 1))[1]
