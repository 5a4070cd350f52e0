"""Padding and cropping of the spatial axes."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import lax

from compose.core.errors import ConfigError, ShapeError
from compose.core.layer import Layer, layer
from compose.layers.slicing import take_slice
from compose.layers.window import Sizes, Widths, pairs, sizes, space_axes

__all__ = ["center_crop", "crop", "pad"]


@layer
class pad(Layer):
    """Pads the spatial axes with zeros, a constant, or the input's own values.

    Shapes: `(batch, *space, channels) -> (batch, *space', channels)`, one to three spatial axes.
    Elsewhere: Keras `ZeroPadding1D/2D/3D`; torch `ZeroPad1d/2d/3d`, `ConstantPad1d/2d/3d`,
    `ReflectionPad1d/2d/3d`, `ReplicationPad1d/2d/3d` and `CircularPad1d/2d/3d`, the last two `"edge"` and `"wrap"`,
    whose widths begin with the last axis.

    Args:
        widths: an int, or for each axis an int or `(before, after)`; below 0 it crops, with a constant.
        mode: `"constant"`, `"reflect"` (without the edge), `"symmetric"` (with it), `"edge"` or `"wrap"`.
        value: the constant.
        channels_first: the input is `(batch, channels, *space)`.

    >>> pad(((1, 0), 2)).out((8, 8, 3))
    (9, 12, 3)
    """

    widths: Widths
    mode: Literal["constant", "reflect", "symmetric", "edge", "wrap"] = "constant"
    value: float = 0.0
    channels_first: bool = False

    def validate(self):
        if self.mode != "constant" and self.value:
            raise ConfigError("a value only with constant mode", f"{self.mode}, value {self.value}")

    def forward(self, p, x, ctx):
        axes = space_axes(x, self.channels_first, self.widths)
        around = dict(zip(axes, pairs(self.widths, len(axes))))
        widths = [around.get(i, (0, 0)) for i in range(x.ndim)]
        if self.mode == "constant":
            if any(x.shape[i] + sum(widths[i]) < 1 for i in axes):
                raise ShapeError("widths that leave some of the input", f"{self.widths} of {tuple(x.shape)}")
            return lax.pad(x, jnp.asarray(self.value, x.dtype), [(*w, 0) for w in widths])
        most = {"reflect": -1, "symmetric": 0, "wrap": 0}.get(self.mode)
        for i in axes:
            if min(widths[i]) < 0:
                raise ConfigError(
                    f'widths of at least 0 for "{self.mode}"', str(self.widths), "use crop(...) to remove values"
                )
            if most is not None and max(widths[i]) > x.shape[i] + most:
                raise ShapeError(f'widths up to {x.shape[i] + most} for "{self.mode}"', str(self.widths))
        return jnp.pad(x, widths, self.mode)


@layer
class crop(Layer):
    """Crops the spatial axes: `crop(1)` removes one value from each end.

    Shapes: `(batch, *space, channels) -> (batch, *space', channels)`. Elsewhere: Keras `Cropping1D/2D/3D`.

    Args:
        widths: an int, or for each axis an int or `(before, after)`.
        channels_first: the input is `(batch, channels, *space)`.
    """

    widths: Widths
    channels_first: bool = False

    def forward(self, p, x, ctx):
        axes = space_axes(x, self.channels_first, self.widths)
        off = pairs(self.widths, len(axes))
        if min(map(min, off)) < 0:
            raise ConfigError("widths of at least 0", str(self.widths), "use pad(...) to add values")
        if any(x.shape[i] <= sum(ends) for i, ends in zip(axes, off)):
            raise ShapeError("widths that leave some of the input", f"{self.widths} of {tuple(x.shape)}")
        return part(x, axes, [a for a, _ in off], [x.shape[i] - a - b for i, (a, b) in zip(axes, off)])


@layer
class center_crop(Layer):
    """The centre of the spatial axes; if the excess is odd, one more value is removed from the end.

    Shapes: `(batch, *space, channels) -> (batch, *size, channels)`. Elsewhere: Keras `CenterCrop`, which upsamples
    smaller inputs; torchvision `CenterCrop`.

    Args:
        size: length along each spatial axis; an int applies to all.
        channels_first: the input is `(batch, channels, *space)`.
    """

    size: Sizes
    channels_first: bool = False

    def forward(self, p, x, ctx):
        axes, size = fitting(x, self.size, self.channels_first)
        return part(x, axes, [(x.shape[i] - n) // 2 for i, n in zip(axes, size)], size)


def fitting(x, size: Sizes, channels_first: bool):
    """The spatial axes and the size along each. Raises `ShapeError` if the input is smaller."""
    axes = space_axes(x, channels_first, size)
    wanted = sizes(size, len(axes))
    if any(x.shape[i] < n for i, n in zip(axes, wanted)):
        raise ShapeError(f"an input of at least {wanted}", f"shape {tuple(x.shape)}", "enlarge it with resize(...)")
    return axes, wanted


def part(x, axes, starts, lengths):
    """The slice of `x` along `axes` with these starts and lengths."""
    cut = {i: slice(a, a + n) for i, a, n in zip(axes, starts, lengths)}
    return take_slice(x, *(cut.get(i, slice(None)) for i in range(x.ndim)))
