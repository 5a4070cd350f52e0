"""Values of images at places that are values too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp

from compose.core.errors import ShapeError, expect_float, shape_text
from compose.core.layer import Layer, layer
from compose.layers.window import space_axes

__all__ = ["grid_sample"]


@layer
class grid_sample(Layer):
    """The values of images at the places of a grid, each from -1 to 1 along an axis, interpolated.

    Jaderberg et al., Spatial Transformer Networks, 2015.

    Shapes: `((batch, *space, channels), (batch, *places, n)) -> (batch, *places, channels)` for n spatial axes. The n
    numbers of a place are in the reverse order of the axes: the column, then the row. Elsewhere: torch
    `nn.functional.grid_sample` and ONNX `GridSample`, whose images have their channels first.

    Args:
        method: between the values, `"linear"`, `"nearest"`, or `"cubic"` by the Keys kernel with a = -0.75.
        padding: of places outside, `"zeros"`, the `"border"`, or the `"reflection"` of the image.
        align_corners: whether -1 and 1 are the middles of the first and last value, or the image's edges.

    Raises `ShapeError` for images and grids that do not fit.
    """

    method: Literal["linear", "nearest", "cubic"] = "linear"
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    align_corners: bool = False

    def params(self, x):
        if not isinstance(x, tuple) or len(x) != 2:
            raise ShapeError("images and a grid", shape_text(x))
        images, grid = x
        rank = len(space_axes(images))
        if grid.ndim < 2 or grid.shape[-1] != rank or grid.shape[0] != images.shape[0]:
            raise ShapeError(f"a grid (batch, *places, {rank}) for the images' batch and axes", shape_text(x))
        expect_float(images)
        expect_float(grid)
        return {}

    def forward(self, p, x, ctx):
        images, grid = x
        grid = grid.astype(jnp.promote_types(grid.dtype, jnp.float32))  # a half has no place between two of many values
        lengths = images.shape[1:-1]
        at = [self.scaled(grid[..., -1 - i], n) for i, n in enumerate(lengths)]
        if self.method == "cubic":
            return self.total(images, [jnp.floor(a) for a in at], [_cubic(a - jnp.floor(a)) for a in at], -1)
        at = [self.inside(a, n) for a, n in zip(at, lengths)]
        if self.method == "nearest":
            return self.picked(images, [jnp.round(a) for a in at])
        low = [jnp.floor(a) for a in at]
        return self.total(images, low, [(1 - (a - b), a - b) for a, b in zip(at, low)], 0)

    def scaled(self, at, n: int):
        """Places from -1 to 1 as indices."""
        return (at + 1) / 2 * (n - 1) if self.align_corners else ((at + 1) * n - 1) / 2

    def inside(self, at, n: int):
        """Places with those outside where the padding has them; zeros stay outside."""
        if self.padding == "zeros":
            return at
        if self.padding == "reflection":
            low, span = (0.0, n - 1.0) if self.align_corners else (-0.5, float(n))
            if not span:
                return at * 0
            away = jnp.abs(at - low)
            over = away % (2 * span)
            at = low + jnp.where(over > span, 2 * span - over, over)
        return jnp.clip(at, 0, n - 1)

    def total(self, images, low, weights, first: int):
        """The sum of the values around `low`, from the offset `first`, times the product of their weights."""
        total: Any = 0
        for offsets in itertools.product(*(range(len(w)) for w in weights)):
            weight: Any = 1
            for w, i in zip(weights, offsets):
                weight = weight * w[i]
            at = [b + (i + first) for b, i in zip(low, offsets)]
            if self.method == "cubic":
                at = [self.inside(a, n) for a, n in zip(at, images.shape[1:-1])]
            total = total + weight[..., None] * self.picked(images, at)
        return total.astype(images.dtype)

    def picked(self, images, at):
        """The values at whole places; zeros outside."""
        lengths = images.shape[1:-1]
        batch = jnp.arange(images.shape[0]).reshape(-1, *(1,) * (at[0].ndim - 1))
        places = [jnp.clip(a, 0, n - 1).astype(jnp.int32) for a, n in zip(at, lengths)]
        found = images[(batch, *places)]
        if self.padding != "zeros":
            return found
        within: Callable = lambda a, n: (a >= 0) & (a <= n - 1)
        seen = jnp.all(jnp.stack([within(a, n) for a, n in zip(at, lengths)]), 0)
        return jnp.where(seen[..., None], found, 0)


def _cubic(t, a: float = -0.75):
    """The weights of the four values around a place, `t` after the second."""

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return far(t + 1), near(t), near(1 - t), far(2 - t)
