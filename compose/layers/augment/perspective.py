"""Random perspective transformation of images."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, expect_float
from compose.core.layer import layer
from compose.layers.augment.color import Chosen
from compose.layers.augment.warp import Interpolation, places, sampled
from compose.layers.window import space_axes

__all__ = ["random_perspective"]


@layer
class random_perspective(Chosen):
    """Warps each image by a homography that moves its corners, with probability `rate`.

    Each coordinate of a corner, relative to the first corner, is multiplied by 1 plus a number uniform in
    `± scale / 2`; so the first corner is fixed. Below a scale of 2/3, the corners always span a convex shape.

    Shapes: `(batch, height, width, channels)`, unchanged. Elsewhere: Keras `RandomPerspective`, which draws the rate
    from 0 to its factor, so that half of it is the rate; torchvision's moves every corner inwards.

    Args:
        scale: from 0 to 1.
        rate: the probability.
        fill_value: the value beyond the edge.
        interpolation: between pixels, `"linear"` or `"nearest"`.
    """

    scale: float
    rate: float = 1.0
    fill_value: float = 0.0
    interpolation: Interpolation = "linear"

    def validate(self):
        super().validate()
        if not 0 <= self.scale <= 1:
            raise ConfigError("a scale from 0 to 1", str(self.scale))

    def params(self, x):
        space_axes(x, False, (1, 1))
        expect_float(x)
        return {}

    def forward(self, p, x, ctx):
        if not ctx.train:
            return x
        shape, dtype = (x.shape[0], 2, 2, 2), jnp.promote_types(x.dtype, jnp.float32)
        grown = 1 + jax.random.uniform(ctx.rng("grow"), shape, dtype, -self.scale / 2, self.scale / 2)
        chosen = jax.random.bernoulli(ctx.rng("choose"), self.rate, (x.shape[0], 1, 1, 1))
        return jnp.where(chosen, self.seen(x, grown), x)

    def seen(self, x, grown):
        """The images with the corners' coordinates multiplied by `grown`, `(batch, bottom, right, row and column)`."""
        far = jnp.asarray(x.shape[1:3], grown.dtype) - 1
        unit = jnp.stack(jnp.meshgrid(jnp.arange(2), jnp.arange(2), indexing="ij"), -1)
        back = adjugate(from_square(unit * far * grown))
        at = jnp.einsum("nij,jhw->nihw", back[..., :2], places(x.shape[1:3], grown.dtype)) + back[..., 2, None, None]
        at = at[:, :2] / at[:, 2:] * far[:, None, None]
        return sampled(x, at, "constant", self.fill_value, self.interpolation).astype(x.dtype)


def from_square(corners):
    """The homography `(batch, 3, 3)` from the unit square to corners `(batch, 2, 2, 2)` (Heckbert, 1989)."""
    first, right, down, last = corners[:, 0, 0], corners[:, 0, 1], corners[:, 1, 0], corners[:, 1, 1]
    cross = lambda a, b: (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])[:, None]
    bend, area = first - right - down + last, cross(down - last, right - last)
    by_row, by_column = cross(bend, right - last) / area, cross(down - last, bend) / area
    columns = [
        jnp.concatenate([down - first + by_row * down, by_row], 1),
        jnp.concatenate([right - first + by_column * right, by_column], 1),
        jnp.concatenate([first, jnp.ones_like(by_row)], 1),
    ]
    return jnp.stack(columns, -1)


def adjugate(matrix):
    """The inverse up to a factor, which does not change a homography."""
    a, b, c = (matrix[..., i] for i in range(3))
    return jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], -2)
