"""Random colour transformations of images with values from 0 to 1.

Shapes: `(batch, height, width, channels)`, unchanged.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, expect_float
from compose.core.function import function
from compose.core.layer import Layer, layer
from compose.layers.augment.flip_crop import Factor, Shifting, within
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
    "random_solarization",
    "solarize",
]


@layer
class random_hue(Shifting):
    """Shifts each image's hue by up to `factor` of the colour circle.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomHue`, whose factor is twice ours, with
    `either_sign=True` and its `value_range`.

    Args:
        factor: a number, or a pair (low, high).
        value_range: of the images, to which the result is clipped, in training alone; None for values from 0 up and
            no clipping.
        either_sign: whether the number drawn is multiplied by -1 with probability 1/2.
    """

    factor: Factor
    value_range: tuple[float, float] | None = None
    either_sign: bool = False
    channels = 3

    def change(self, x, by):
        hue, saturation, value = to_hsv(to_unit(x, self.value_range))
        turned = from_hsv((hue + by[..., 0]) % 1, saturation, value)
        return turned if self.value_range is None else from_unit(jnp.clip(turned, 0, 1), self.value_range)


@layer
class random_saturation(Shifting):
    """Multiplies each image's saturation by `1 + s`, with s uniform in `± factor`.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomSaturation`, with `odds=True` and its
    `value_range` as `limits`.

    Args:
        factor: a number, or a pair (low, high).
        limits: what the saturation is clipped to.
        odds: whether it is multiplied by `s / (1 - s)` instead, which is 1 at 0.5.
    """

    factor: Factor
    limits: tuple[float, float] = (0.0, 1.0)
    odds: bool = False
    channels = 3

    def change(self, x, by):
        hue, saturation, value = to_hsv(x)
        by = by[..., 0]
        by = by / jnp.maximum(1 - by, 1e-7) if self.odds else 1 + by
        return from_hsv(hue, jnp.clip(saturation * by, *self.limits), value)


@layer
class random_color_degeneration(Shifting):
    """`x + c · (grey - x)`, c uniform in `± factor`; below 0 the colours grow stronger.

    Shapes: `(batch, height, width, 3)`, unchanged. Elsewhere: Keras `RandomColorDegeneration`, with its `value_range`;
    torchvision's saturation is `1 - c`.

    Args:
        factor: a number, or a pair (low, high).
        value_range: what the result is clipped to, in training alone.
    """

    factor: Factor
    value_range: tuple[float, float] = (0.0, 1.0)
    channels = 3

    def change(self, x, by):
        return within(x + by * (grey(x) - x), self.value_range)


@layer
class random_sharpness(Shifting):
    """`smooth + (1 + s) · (x - smooth)`, with s uniform in `± factor`: -1 smooths, 1 sharpens.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomSharpness`, whose factor f is our
    `2 f - 1`, with its `value_range`.

    Args:
        factor: a number, or a pair (low, high).
        value_range: what the result is clipped to, in training alone.
    """

    factor: Factor
    value_range: tuple[float, float] = (0.0, 1.0)

    def change(self, x, by):
        kernel = np.full((3, 3, 1, 1), 1 / 13)
        kernel[1, 1] = 5 / 13
        weights = jnp.broadcast_to(jnp.asarray(kernel, x.dtype), (3, 3, 1, x.shape[-1]))
        smooth = convolve(x, weights, window(x, 3, padding="same"), x.shape[-1], False)
        return within(x - by * (smooth - x), self.value_range)


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
    """Inverts each image, `low + high - x`, with probability `rate`.

    Shapes: any with the batch first, unchanged. Elsewhere: Keras `RandomInvert`, which subtracts from the high end and
    draws the rate from 0 to its factor, so that half of it is the rate.
    """

    rate: float = 0.5
    value_range: tuple[float, float] = (0.0, 1.0)

    def change(self, x):
        return sum(self.value_range) - x


@layer
class random_posterization(Chosen):
    """Keeps the `bits` highest bits of 8, with probability `rate`.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomPosterization`, whose pair leaves out
    its high end.

    Args:
        bits: a number, or a pair (low, high) of which one is drawn for each image, both included.
        rate: the probability.
        value_range: the values that 8 bits count from and to.
    """

    bits: int | tuple[int, int]
    rate: float = 1.0
    value_range: tuple[float, float] = (0.0, 1.0)

    def validate(self):
        super().validate()
        low, high = (self.bits,) * 2 if isinstance(self.bits, int) else self.bits
        if not 0 <= low <= high <= 8:
            raise ConfigError("bits from 0 to 8, or a pair (low, high) of them", str(self.bits))

    def forward(self, p, x, ctx):
        if not ctx.train or isinstance(self.bits, int):
            return super().forward(p, x, ctx)
        low, high = self.bits
        bits = jax.random.randint(ctx.rng("bits"), (x.shape[0], 1, 1, 1), low, high + 1)
        chosen = jax.random.bernoulli(ctx.rng(), self.rate, (x.shape[0], 1, 1, 1))
        return jnp.where(chosen, self.kept(x, bits), x)

    def change(self, x):
        return self.kept(x, self.bits if isinstance(self.bits, int) else self.bits[1])

    def kept(self, x, bits):
        step = jnp.exp2(8 - jnp.asarray(bits, x.dtype))
        levels = to_unit(x, self.value_range, 255)
        return from_unit(jnp.floor(jnp.floor(levels) / step) * step, self.value_range, 255)


@layer
class random_solarization(Layer):
    """`solarize` by a threshold and an addition that are drawn for each image, as fractions of the `value_range`.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `Solarization`, the low ends of whose pairs
    are counts of 255.

    Args:
        threshold, addition: pairs (low, high).
        value_range: of the images, to which the sum is clipped.
    """

    threshold: tuple[float, float] = (0.0, 1.0)
    addition: tuple[float, float] = (0.0, 0.0)
    value_range: tuple[float, float] = (0.0, 1.0)

    draws = True

    def validate(self):
        if self.threshold[0] > self.threshold[1] or self.addition[0] > self.addition[1]:
            raise ConfigError("pairs (low, high)", f"{self.threshold}, {self.addition}")

    def params(self, x):
        space_axes(x, False, (1, 1))
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        drawn = lambda what, ends: jax.random.uniform(ctx.rng(what), (x.shape[0], 1, 1, 1), x.dtype, *ends)
        unit = to_unit(x, self.value_range)
        brighter = jnp.clip(unit + drawn("addition", self.addition), 0, 1)
        made = jnp.where(brighter < drawn("threshold", self.threshold), brighter, 1 - brighter)
        return from_unit(made, self.value_range)


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


def to_unit(x, value_range, top: float = 1):
    """Images of a range as numbers from 0 to `top`."""
    low, high = value_range or (0, top)
    return x if (low, high) == (0, top) else (x - low) / (high - low) * top


def from_unit(x, value_range, top: float = 1):
    """The inverse of `to_unit`."""
    low, high = value_range or (0, top)
    return x if (low, high) == (0, top) else x / top * (high - low) + low


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
