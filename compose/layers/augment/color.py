"""Random colour transformations of images with values from 0 to 1.

Shapes: `(batch, height, width, channels)`, unchanged.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError
from compose.core.function import function
from compose.core.layer import Layer, layer
from compose.layers.augment.flip_crop import Factor, Shifting
from compose.layers.conv.convolve import convolve
from compose.layers.window import space_axes, window

__all__ = [
    "auto_contrast",
    "random_color_degeneration",
    "random_grayscale",
    "random_hue",
    "random_invert",
    "random_posterization",
    "random_saturation",
    "random_sharpness",
    "solarize",
]


@layer
class random_hue(Shifting):
    """Shifts each image's hue by up to `factor` of the colour circle.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomHue`, whose factor is twice ours.
    """

    factor: Factor
    channels = 3

    def change(self, x, by):
        hue, saturation, value = to_hsv(x)
        return from_hsv((hue + by[..., 0]) % 1, saturation, value)


@layer
class random_saturation(Shifting):
    """Multiplies each image's saturation by `1 + s`, with s uniform in `± factor`.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomSaturation`, whose factor f multiplies
    by `f / (1 - f)`.
    """

    factor: Factor
    channels = 3

    def change(self, x, by):
        hue, saturation, value = to_hsv(x)
        return from_hsv(hue, jnp.clip(saturation * (1 + by[..., 0]), 0, 1), value)


@layer
class random_color_degeneration(Shifting):
    """`x + c · (grey - x)`, c uniform in `± factor`; below 0 the colours grow stronger.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomColorDegeneration`, with a pair from 0 up;
    torchvision's saturation is `1 - c`.
    """

    factor: Factor
    channels = 3

    def change(self, x, by):
        return jnp.clip(x + by * (grey(x) - x), 0, 1)


@layer
class random_sharpness(Shifting):
    """`smooth + (1 + s) · (x - smooth)`, with s uniform in `± factor`: -1 smooths, 1 sharpens.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomSharpness`, whose factor f is our
    `2 f - 1`.
    """

    factor: Factor

    def change(self, x, by):
        kernel = np.full((3, 3, 1, 1), 1 / 13)
        kernel[1, 1] = 5 / 13
        weights = jnp.broadcast_to(jnp.asarray(kernel, x.dtype), (3, 3, 1, x.shape[-1]))
        smooth = convolve(x, weights, window(x, 3, padding="same"), x.shape[-1], False)
        return jnp.clip(x - by * (smooth - x), 0, 1)


class Chosen(Layer):
    """A transformation applied to each image with probability `rate`, in training."""

    draws = True
    rate: float

    def validate(self):
        if not 0 <= self.rate <= 1:
            raise ConfigError("a rate from 0 to 1", str(self.rate))

    def forward(self, p, x, ctx):
        changed = self.change(x)
        if not ctx.train:
            return x
        return jnp.where(jax.random.bernoulli(ctx.rng(), self.rate, (x.shape[0], 1, 1, 1)), changed, x)

    def change(self, x):
        raise NotImplementedError


@layer
class random_grayscale(Chosen):
    """Converts each image to grey with probability `rate`, keeping three channels.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomGrayscale`.
    """

    rate: float = 0.5

    def change(self, x):
        return jnp.broadcast_to(grey(x), x.shape)


@layer
class random_invert(Chosen):
    """Inverts each image, `1 - x`, with probability `rate`. Elsewhere: Keras `RandomInvert`."""

    rate: float = 0.5

    def change(self, x):
        return 1 - x


@layer
class random_posterization(Chosen):
    """Keeps the `bits` highest bits of 8, with probability `rate`. Elsewhere: Keras `RandomPosterization`."""

    bits: int
    rate: float = 1.0

    def change(self, x):
        step = 2.0 ** (8 - self.bits)
        return jnp.floor(jnp.floor(x * 255) / step) * step / 255


@function(floats=True)
def solarize(x, threshold: float = 0.5, addition: float = 0.0):
    """`x + addition`, inverted where it reaches the threshold. Elsewhere: Keras `Solarization`."""
    brighter = jnp.clip(x + addition, 0, 1)
    return jnp.where(brighter < threshold, brighter, 1 - brighter)


@function(floats=True)
def auto_contrast(x):
    """Stretches each image's channels to 0..1; constant channels are unchanged. Elsewhere: Keras `AutoContrast`."""
    low, high = (f(space_axes(x), keepdims=True) for f in (x.min, x.max))
    span = high - low
    return jnp.where(span > 0, (x - low) / jnp.where(span > 0, span, 1), x)


def grey(x):
    """The luma of ITU-R 601, `(batch, height, width, 1)`."""
    return x @ jnp.asarray([[0.2989], [0.5870], [0.1140]], x.dtype)


def to_hsv(x):
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    value = x.max(-1)
    chroma = value - x.min(-1)
    safe = jnp.where(chroma > 0, chroma, 1)
    sector = jnp.where(value == r, (g - b) / safe % 6, jnp.where(value == g, (b - r) / safe + 2, (r - g) / safe + 4))
    saturation = jnp.where(value > 0, chroma / jnp.where(value > 0, value, 1), 0)
    return jnp.where(chroma > 0, sector / 6, 0), saturation, value


def from_hsv(hue, saturation, value):
    def channel(n: int):
        k = (n + hue * 6) % 6
        return value * (1 - saturation * jnp.clip(jnp.minimum(k, 4 - k), 0, 1))

    return jnp.stack([channel(5), channel(3), channel(1)], -1)
