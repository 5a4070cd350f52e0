"""Random affine maps of images in training: turned, zoomed, moved, sheared."""

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
    """An affine map by a number for each axis that the layer draws, `(batch, 2)`, with linear interpolation."""

    fill_mode: Fill
    fill_value: float
    numbers = 1  # how many are drawn for each image

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        shape = (self.numbers, x.shape[0])
        matrix, offset = self.affine(jax.random.uniform(ctx.rng(), shape, x.dtype, self.low, self.high), x.shape[1:3])
        at = jnp.einsum("nij,jhw->nihw", matrix, places(x.shape[1:3], x.dtype)) + offset[:, :, None, None]
        return sampled(x, at, self.fill_mode, self.fill_value)

    def affine(self, by, size):
        """The matrix `(batch, 2, 2)` and the offset `(batch, 2)` from the output's places to the input's."""
        raise NotImplementedError


@layer
class random_rotation(Warping):
    """Each image turned about its middle, against the clock, by up to `factor` of a full turn.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomRotation`.

    Args:
        factor: a number f for `± f`, or a low and a high one.
        fill_mode: what lies beyond the edge, as in `jax.scipy.ndimage.map_coordinates`.
        fill_value: of the constant mode.
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
    """Each image zoomed about its middle: out by up to `factor`, in below 0, both axes alike.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomZoom`, whose `width_factor` apart
    has no equal here.

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
    """Each image moved down and to the right by up to `factor` of its height and width.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomTranslation`.

    Args:
        factor, fill_mode, fill_value: as in `random_rotation`; one number for both axes, each drawn by itself.
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
    """Each image sheared about its first corner: rows by `factor` of their height, columns of their width.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomShear` with `x_factor` and
    `y_factor` alike.

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
    """The images' values at the places `at`, `(batch, 2, height, width)`, with linear interpolation."""
    pick = lambda plane, at: map_coordinates(plane, list(at), 1, fill_mode, fill_value)
    return jax.vmap(jax.vmap(pick, (-1, None), -1))(x, at)
