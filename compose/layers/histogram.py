"""Histogram equalisation of images with values from 0 to 1."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, expect_float
from compose.core.function import function
from compose.core.layer import Layer, layer
from compose.layers.augment.color import from_unit, to_unit
from compose.layers.window import space_axes

__all__ = ["clahe", "equalize"]


@function(floats=True)
def equalize(x, bins: int = 256):
    """Equalises the histogram of each channel of each image, in steps of 1/255; constant channels are unchanged.

    Shapes: `(batch, *space, channels)`, unchanged. Elsewhere: Keras `Equalization(bins=bins)`, which computes one
    histogram for the batch; this layer computes one per image, as torchvision's `equalize` does.
    """
    space_axes(x)
    level = levels(x, bins)
    rows = jnp.moveaxis(level, -1, 1).reshape(x.shape[0] * x.shape[-1], -1)
    counts = histogram(rows, bins)
    total = counts.cumsum(-1)
    first = jnp.take_along_axis(total, rows.min(-1, keepdims=True), -1)
    rest = total[:, -1:] - first
    table = jnp.round(255.0 * (total - first).clip(0) / rest.clip(1)) / 255
    flat = jnp.take_along_axis(table, rows, -1).reshape(x.shape[0], x.shape[-1], *x.shape[1:-1])
    constant = (rest == 0).reshape(x.shape[0], *[1] * (x.ndim - 2), -1)
    return jnp.where(constant, x, jnp.moveaxis(flat, 1, -1).astype(x.dtype))


@layer
class clahe(Layer):
    """Contrast-limited adaptive histogram equalisation: per tile, interpolated between tiles (Zuiderveld, 1994).

    A pixel is mapped by the cumulative histograms of the four tiles whose centres surround it, and the results are
    interpolated. The excess of clipped bins is distributed over all 256 bins.

    Shapes: `(batch, height, width, channels)`, unchanged; each channel separately. Elsewhere: Keras
    `ContrastLimitedAdaptiveHistogramEqualization`, whose `value_range` is from 0 to 255 by default; OpenCV distributes
    the excess as integers.

    Args:
        clip_limit: the maximum of a bin, in multiples of the mean; 0 for no clipping.
        grid: the number of tiles along height and width.
        value_range: of the images.
    """

    clip_limit: float = 4.0
    grid: tuple[int, int] = (8, 8)
    value_range: tuple[float, float] = (0.0, 1.0)

    def validate(self):
        if self.clip_limit < 0:
            raise ConfigError("a clip limit of at least 0", str(self.clip_limit))
        if len(self.grid) != 2 or min(self.grid) < 1:
            raise ConfigError("two numbers of tiles, each at least 1", str(self.grid))

    def forward(self, p, x, ctx):
        expect_float(x)
        height, width = (x.shape[a] for a in space_axes(x, False, self.grid))
        size = -(-height // self.grid[0]), -(-width // self.grid[1])
        level = to_unit(x.astype(jnp.promote_types(x.dtype, jnp.float32)), self.value_range, 255)
        level = level.clip(0, 255).astype(jnp.int32)
        table = self.distributions(level, size).astype(jnp.promote_types(x.dtype, jnp.float32))
        image = np.arange(x.shape[0])[:, None, None, None]
        y = 0
        for row, by_row in corners(height, size[0], self.grid[0]):
            for column, by_column in corners(width, size[1], self.grid[1]):
                weight = jnp.asarray(by_row[:, None, None] * by_column[:, None], table.dtype)
                y += weight * table[image, row[:, None, None], column[:, None], np.arange(x.shape[-1]), level]
        return from_unit(jnp.asarray(y, x.dtype), self.value_range)

    def distributions(self, level, size: tuple[int, int]):
        """The mapping of levels for each tile, `(batch, rows, columns, channels, 256)`."""
        (batch, height, width, channels), (rows, columns) = level.shape, self.grid
        fill = [(0, 0), (0, size[0] * rows - height), (0, size[1] * columns - width), (0, 0)]
        tiles = jnp.pad(level, fill, "symmetric").reshape(batch, rows, size[0], columns, size[1], channels)
        flat = tiles.transpose(0, 1, 3, 5, 2, 4).reshape(-1, size[0] * size[1])
        counts = histogram(flat, 256).astype(jnp.result_type(float))
        if self.clip_limit:
            kept = counts.clip(max=self.clip_limit * flat.shape[1] / 256)
            counts = kept + (counts - kept).sum(-1, keepdims=True) / 256
        total = counts.cumsum(-1)
        rest = flat.shape[1] - total[:, :1]
        table = ((total - total[:, :1]) / jnp.where(rest == 0, 1, rest)).clip(0, 1)
        return table.reshape(batch, rows, columns, channels, 256)


def levels(x, count: int):
    """Values from 0 to 1 as integers below `count`."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return (wide * (count - 1)).clip(0, count - 1).astype(jnp.int32)


def histogram(rows, bins: int):
    """The count of each level in each row."""
    return jax.vmap(functools.partial(jnp.bincount, length=bins))(rows)


def corners(length: int, size: int, tiles: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each pixel along an axis, the tiles before and after it, with their interpolation weights."""
    position = np.arange(length) / size - 0.5
    low = np.floor(position).astype(int)
    weight = position - low
    return [(low.clip(0, tiles - 1), 1 - weight), ((low + 1).clip(0, tiles - 1), weight)]
