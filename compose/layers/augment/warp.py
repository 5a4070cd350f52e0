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


class Warping(Shifting):
    """An affine transformation by `numbers` random numbers per image, with linear interpolation."""

    fill_mode: Fill
    fill_value: float
    numbers = 1  # how many numbers are drawn per image

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        shape = (self.numbers, x.shape[0])
        matrix, offset = self.affine(jax.random.uniform(ctx.rng(), shape, x.dtype, self.low, self.high), x.shape[1:3])
        at = jnp.einsum("nij,jhw->nihw", matrix, places(x.shape[1:3], x.dtype)) + offset[:, :, None, None]
        return sampled(x, at, self.fill_mode, self.fill_value)

    def affine(self, by, size):
        """The matrix `(batch, 2, 2)` and the offset `(batch, 2)` from output to input coordinates."""
        raise NotImplementedError


@layer
class random_rotation(Warping):
    """Rotates each image about its centre, counterclockwise, by up to `factor` of a full turn.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomRotation`.

    Args:
        factor: a number f for `± f`, or a pair (low, high).
        fill_mode: how to fill beyond the edge, as in `jax.scipy.ndimage.map_coordinates`.
        fill_value: the value in constant mode.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0

    def affine(self, by, size):
        angle = 2 * jnp.pi * by[0]
        sin, cos = jnp.sin(angle), jnp.cos(angle)
        return about_middle(jnp.stack([jnp.stack([cos, sin], -1), jnp.stack([-sin, cos], -1)], -2), size)


@layer
class random_zoom(Warping):
    """Zooms each image about its centre, equally along both axes: positive factors zoom out, negative ones in.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomZoom`; its separate `width_factor` is
    not supported.

    Args:
        factor, fill_mode, fill_value: as in `random_rotation`.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0

    def affine(self, by, size):
        return about_middle((1 + by[0])[:, None, None] * jnp.eye(2, dtype=by.dtype), size)


@layer
class random_translation(Warping):
    """Translates each image down and to the right by up to `factor` of its height and width.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomTranslation`.

    Args:
        factor, fill_mode, fill_value: as in `random_rotation`; one range for both axes, which are drawn independently.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0
    numbers = 2

    def affine(self, by, size):
        same = jnp.broadcast_to(jnp.eye(2, dtype=by.dtype), (by.shape[1], 2, 2))
        return same, -by.T * jnp.asarray(size, by.dtype)


@layer
class random_shear(Warping):
    """Shears each image about its first corner: rows by `factor` of their height, columns of their width.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomShear` with equal `x_factor` and
    `y_factor`.

    Args:
        factor, fill_mode, fill_value: as in `random_translation`.
    """

    factor: Factor
    fill_mode: Fill = "reflect"
    fill_value: float = 0.0
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


def sampled(x, at, fill_mode: Fill, fill_value: float):
    """The images' values at coordinates `at`, `(batch, 2, height, width)`, with linear interpolation."""
    pick = lambda plane, at: map_coordinates(plane, list(at), 1, fill_mode, fill_value)
    return jax.vmap(jax.vmap(pick, (-1, None), -1))(x, at)
