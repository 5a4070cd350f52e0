"""Random affine transformations of images in training: rotation, zoom, translation, shear."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from compose.core.layer import layer
from compose.layers.augment.flip_crop import Factor, Shifting

__all__ = ["random_rotation", "random_shear", "random_translation", "random_zoom"]

Fill = Literal["reflect", "constant", "nearest", "wrap", "mirror"]
Interpolation = Literal["linear", "nearest"]


class Warping(Shifting):
    """An affine transformation by `numbers` random numbers per image."""

    fill_mode: Fill
    fill_value: float
    interpolation: Interpolation
    numbers: int = 1  # how many numbers are drawn per image

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        drawn = self.drawn(ctx.rng(), x.shape[0], x.dtype) * self.sign(ctx, x.shape[:1], x.dtype)
        matrix, offset = self.affine(drawn, x.shape[1:3])
        at = jnp.einsum("nij,jhw->nihw", matrix, places(x.shape[1:3], x.dtype)) + offset[:, :, None, None]
        return sampled(x, at, self.fill_mode, self.fill_value, self.interpolation)

    def drawn(self, rng, batch, dtype):
        """The random numbers, `(numbers, batch)`."""
        return jax.random.uniform(rng, (self.numbers, batch), dtype, self.low, self.high)

    def affine(self, by, size):
        """The matrix `(batch, 2, 2)` and the offset `(batch, 2)` from output to input coordinates."""
        raise NotImplementedError


class WarpingSides(Warping):
    """One whose height and width may have ranges of their own."""

    width_factor: Factor | None

    def validate(self):
        super().validate()
        if self.width_factor is not None:
            self.but(factor=self.width_factor, width_factor=None)

    def drawn(self, rng, batch, dtype):
        if self.width_factor is None:
            return super().drawn(rng, batch, dtype)
        ranges = [(f.low, f.high) for f in (self, self.but(factor=self.width_factor, width_factor=None))]
        low, high = jnp.asarray(ranges, dtype).T[..., None]
        return jax.random.uniform(rng, (2, batch), dtype, low, high)


@layer
class random_rotation(Warping):
    """Rotates each image about its centre, counterclockwise, by up to `factor` of a full turn.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomRotation`.

    Args:
        factor: a number f for `± f`, or a pair (low, high).
        fill_mode: how to fill beyond the edge, as in `jax.scipy.ndimage.map_coordinates`.
        fill_value: the value in constant mode.
        interpolation: between pixels, `"linear"` or `"nearest"`.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0
    interpolation: Interpolation = "linear"

    def affine(self, by, size):
        angle = 2 * jnp.pi * by[0]
        sin, cos = jnp.sin(angle), jnp.cos(angle)
        return about_middle(jnp.stack([jnp.stack([cos, sin], -1), jnp.stack([-sin, cos], -1)], -2), size)


@layer
class random_zoom(WarpingSides):
    """Zooms each image about its centre: positive factors zoom out, negative ones in.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomZoom`.

    Args:
        factor, fill_mode, fill_value, interpolation: as in `random_rotation`.
        width_factor: a range for the width alone; None zooms both axes equally.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0
    interpolation: Interpolation = "linear"
    width_factor: Factor | None = None

    def affine(self, by, size):
        scale = 1 + jnp.stack([by[0], by[-1]], -1)
        return about_middle(scale[:, :, None] * jnp.eye(2, dtype=by.dtype), size)


@layer
class random_translation(WarpingSides):
    """Translates each image down and to the right by up to `factor` of its height and width.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomTranslation`.

    Args:
        factor, fill_mode, fill_value, interpolation: as in `random_rotation`.
        width_factor: a range for the width alone; None for that of the height. Both are drawn independently.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0
    interpolation: Interpolation = "linear"
    width_factor: Factor | None = None
    numbers = 2

    def affine(self, by, size):
        same = jnp.broadcast_to(jnp.eye(2, dtype=by.dtype), (by.shape[1], 2, 2))
        return same, -by.T * jnp.asarray(size, by.dtype)


@layer
class random_shear(WarpingSides):
    """Shears each image about its first corner: rows by `factor` of their height, columns of their width.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomShear`, whose `y_factor` is ours,
    with `either_sign=True`.

    Args:
        factor, fill_mode, fill_value, interpolation: as in `random_rotation`.
        width_factor: a range for the columns alone; None for that of the rows. Both are drawn independently.
        either_sign: whether both numbers are multiplied by -1 with probability 1/2.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0
    interpolation: Interpolation = "linear"
    width_factor: Factor | None = None
    either_sign: bool = False
    numbers = 2

    def affine(self, by, size):
        one = jnp.ones_like(by[0])
        matrix = jnp.stack([jnp.stack([one, by[0]], -1), jnp.stack([by[1], one], -1)], -2)
        return matrix, jnp.zeros((by.shape[1], 2), by.dtype)


def about_middle(matrix, size):
    middle = (jnp.asarray(size, matrix.dtype) - 1) / 2
    return matrix, middle - matrix @ middle


def places(size, dtype):
    """The row and column of every pixel, `(2, height, width)`."""
    return jnp.stack(jnp.meshgrid(*(jnp.arange(n, dtype=dtype) for n in size), indexing="ij"))


def sampled(x, at, fill_mode: Fill, fill_value: float, interpolation: Interpolation = "linear"):
    """The images' values at coordinates `at`, `(batch, 2, height, width)`."""
    order = 1 if interpolation == "linear" else 0
    pick = lambda plane, at: map_coordinates(plane, list(at), order, fill_mode, fill_value)
    return jax.vmap(jax.vmap(pick, (-1, None), -1))(x, at)
