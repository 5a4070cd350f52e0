"""Resampling of the spatial axes, by one constant matrix per axis."""

from __future__ import annotations

import functools
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import Layer, layer
from compose.layers.window import Sizes, sizes, space_axes

__all__ = ["resize", "upsample"]

Method = Literal["nearest", "linear", "cubic", "torch_cubic", "mitchell", "gaussian", "area", "lanczos3", "lanczos5"]
Coordinates = Literal["half_pixel", "align_corners", "asymmetric"]


@layer
class resize(Layer):
    """Resizes the spatial axes to `size`.

    Shapes: `(batch, *space, channels) -> (batch, *size, channels)`, one to three spatial axes.
    Elsewhere: Keras `Resizing` with these defaults; `jax.image.resize`, whose default is `antialias=True`; torch
    `functional.interpolate(size=...)`, whose `"bicubic"` is `"torch_cubic"`, but `"cubic"` with `antialias=True`, whose
    `"nearest-exact"` is `"nearest"`, and whose `"nearest"` is `"nearest"` with `coordinates="asymmetric"`. Its
    `"area"` is `adaptive_avg_pool(size)`, TensorFlow's `"area"`. TensorFlow 1 resizes by `coordinates="asymmetric"`,
    with `"torch_cubic"` for its bicubic.

    Args:
        size: length along each spatial axis; an int applies to all.
        method: `"nearest"`, `"linear"` along each axis, `"cubic"` (Keys, a = -0.5), `"torch_cubic"` (a = -0.75, the
            edge repeated), `"mitchell"` (Mitchell & Netravali, B = C = 1/3), `"gaussian"`, `"lanczos3"`, `"lanczos5"`,
            or `"area"`, the mean over the area that each output covers.
        antialias: widen the filter when downsampling.
        coordinates: the input coordinate of output i: `"half_pixel"` `(i + 1/2) · scale - 1/2`,
            `"align_corners"` `i · (n - 1) / (size - 1)`, or `"asymmetric"` `i · scale`.
        channels_first: the input is `(batch, channels, *space)`.
    """

    size: Sizes
    method: Method = "linear"
    antialias: bool = False
    coordinates: Coordinates = "half_pixel"
    channels_first: bool = False

    def validate(self):
        check(self)

    def lengths(self, x) -> dict[int, tuple[int, float]]:
        """For each spatial axis its new length, and the input's step per output."""
        axes = space_axes(x, self.channels_first, self.size)
        return {i: (n, x.shape[i] / n) for i, n in zip(axes, sizes(self.size, len(axes)))}

    def forward(self, p, x, ctx):
        return resample(self, x, self.lengths(x))


@layer
class upsample(Layer):
    """Scales the spatial axes by `factor`: `upsample(2)` repeats every value.

    Shapes: `(batch, *space, channels) -> (batch, *(space · factor), channels)`, rounded down.
    Elsewhere: Keras `UpSampling1D/2D/3D` with these defaults; torch `Upsample(scale_factor=...)`, and
    `UpsamplingBilinear2d`, which is `upsample(2, "linear", coordinates="align_corners")`. For other methods,
    see `resize`.

    Args:
        factor: for each spatial axis; one number applies to all.
        method, antialias, coordinates, channels_first: as in `resize`.
    """

    factor: float | tuple[float, ...] = 2.0
    method: Method = "nearest"
    antialias: bool = False
    coordinates: Coordinates = "half_pixel"
    channels_first: bool = False

    def validate(self):
        check(self)
        if min(np.atleast_1d(self.factor)) <= 0:
            raise ConfigError("a factor above 0", str(self.factor))

    def lengths(self, x) -> dict[int, tuple[int, float]]:
        """For each spatial axis its new length, and the input's step per output."""
        axes = space_axes(x, self.channels_first, self.factor)
        factors = self.factor if isinstance(self.factor, tuple) else (self.factor,) * len(axes)
        return {i: (max(int(x.shape[i] * f), 1), 1 / f) for i, f in zip(axes, factors)}

    def forward(self, p, x, ctx):
        return resample(self, x, self.lengths(x))


def check(layer) -> None:
    if layer.antialias and (layer.method in ("nearest", "area") or layer.coordinates != "half_pixel"):
        raise ConfigError("antialias with a smooth method and half-pixel coordinates", f"{layer.method}")
    if layer.method == "area" and layer.coordinates != "half_pixel":
        raise ConfigError('half-pixel coordinates for "area"', layer.coordinates)


def resample(layer, x, lengths: dict[int, tuple[int, float]]):
    """Resample `x`; `lengths` maps each axis to its new length and the input's step per output."""
    if layer.method == "nearest":
        for axis, (n, step) in lengths.items():
            x = pick(x, axis, n, step, layer.coordinates)
        return x
    expect_float(x)
    for axis, (n, step) in lengths.items():
        if n != x.shape[axis] or step != 1:
            matrix = weights(x.shape[axis], n, step, layer.method, layer.antialias, layer.coordinates)
            x = jnp.moveaxis(lax.dot_general(x, matrix.astype(x.dtype), (((axis,), (1,)), ((), ()))), -1, axis)
    return x


def pick(x, axis: int, n: int, step: float, coordinates: str):
    """Nearest-neighbour resampling of one axis; an integer factor is a repetition."""
    length = x.shape[axis]
    if _is_repetition(length, n, step, coordinates):
        return jnp.repeat(x, n // length, axis) if n > length else x
    return jnp.take(x, nearest(length, n, step, coordinates), axis)


def nearest(length: int, n: int, step: float, coordinates: str) -> np.ndarray:
    """The position that each of `n` outputs takes, of `length`."""
    if _is_repetition(length, n, step, coordinates):
        return np.repeat(np.arange(length, dtype=np.int32), n // length)
    half = np.float32(0.5 if coordinates == "half_pixel" else 0)
    if coordinates == "align_corners":
        at = np.floor(np.arange(n) * (length - 1) / max(n - 1, 1) + 0.5)
    else:  # in float32, as the frameworks round
        at = np.floor((np.arange(n, dtype=np.float32) + half) * np.float32(step))
    return np.clip(at, 0, length - 1).astype(np.int32)


def _is_repetition(length: int, n: int, step: float, coordinates: str) -> bool:
    return n % length == 0 and step * n == length and coordinates != "align_corners"


@functools.lru_cache(maxsize=256)
def weights(length: int, n: int, step: float, method: str, antialias: bool, coordinates: str) -> np.ndarray:
    """The matrix `(n, length)` that resamples one axis."""
    outputs = np.arange(n, dtype=np.float64)
    if coordinates == "align_corners":
        at = outputs * (length - 1) / max(n - 1, 1)
    elif coordinates == "asymmetric":
        at = outputs * step
    else:
        at = (outputs + 0.5) * step - 0.5
    if method == "area":
        first, last = outputs * step, (outputs + 1) * step
        pixels = np.arange(length)
        return np.clip(np.minimum(last[:, None], pixels + 1) - np.maximum(first[:, None], pixels), 0, None) / step
    kernel, reach = KERNELS[method]
    if method == "linear":
        at = np.clip(at, 0, length - 1)
    if method == "torch_cubic":  # the edge value is repeated beyond the edge
        rows = np.floor(at)[:, None] + np.arange(-1, 3)
        matrix = np.zeros((n, length))
        np.add.at(matrix, (np.arange(n)[:, None], np.clip(rows, 0, length - 1).astype(int)), kernel(at[:, None] - rows))
        return matrix
    stretch = max(step, 1.0) if antialias else 1.0
    distance = (at[:, None] - np.arange(length)) / stretch
    matrix = np.where(np.abs(distance) <= reach, kernel(distance), 0)
    return matrix / matrix.sum(1, keepdims=True)


def _linear(x):
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x, a: float):
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _mitchell(x):
    x = np.abs(x)
    near = ((7 * x - 12) * x * x + 16 / 3) / 6
    far = (((-7 / 3 * x + 12) * x - 20) * x + 32 / 3) / 6
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _gaussian(x):
    return np.where(np.abs(x) < 1.5, np.exp(-2 * x * x), 0)


def _lanczos(x, lobes: int):
    return np.sinc(x) * np.sinc(x / lobes)


KERNELS = {
    "linear": (_linear, 1),
    "cubic": (functools.partial(_cubic, a=-0.5), 2),
    "torch_cubic": (functools.partial(_cubic, a=-0.75), 2),
    "mitchell": (_mitchell, 2),
    "gaussian": (_gaussian, 1.5),
    "lanczos3": (functools.partial(_lanczos, lobes=3), 3),
    "lanczos5": (functools.partial(_lanczos, lobes=5), 5),
}
