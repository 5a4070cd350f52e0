"""Rectifiers with a learned or random slope below zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.initializers import constant

__all__ = ["prelu", "rrelu"]


@layer
class prelu(Layer):
    """`x` above 0, `negative_slope * x` below, with learned slopes (He et al., 2015); the lower slope at 0.

    Shapes: any, unchanged; parameter `negative_slope`, with the lengths of `axes`.
    Elsewhere: torch `PReLU()` with these defaults, `PReLU(channels)` is `axes=(-1,)`; Keras `PReLU` starts at 0
    and has one slope per element: `axes=(1, 2, 3)` for images, `axes=(-1,)` for its `shared_axes=[1, 2]`;
    Flax `PReLU` starts at 0.01.

    Args:
        axes: the axes along which slopes differ; empty for a single slope.
        slope_init: the initialiser of the slopes.
    """

    axes: tuple[int, ...] = ()
    slope_init: Initializer = constant(value=0.25)

    def params(self, x):
        expect_float(x)
        if any(not -x.ndim <= a < x.ndim for a in self.axes):
            raise ShapeError(f"an input with axes {self.axes}", shape_text(x))
        shape = tuple(x.shape[a] for a in _ordered(self.axes, x.ndim))
        yield "negative_slope", Param(shape, self.slope_init, axes=("out",) * len(shape))

    def forward(self, p, x, ctx):
        apart = _ordered(self.axes, x.ndim)
        slope = p["negative_slope"].reshape([n if i in apart else 1 for i, n in enumerate(x.shape)])
        return jnp.where(x > 0, x, slope * x)


@layer
class rrelu(Layer):
    """`leaky_relu` with a random slope for each element in training, its mean in inference (Xu et al., 2015).

    Shapes: any, unchanged. Elsewhere: torch `RReLU` with these defaults.
    """

    low: float = 1 / 8
    high: float = 1 / 3

    draws = True

    def validate(self):
        if self.low > self.high:
            raise ConfigError("low to be at most high", f"{self.low}, {self.high}")

    def forward(self, p, x, ctx):
        slope = (self.low + self.high) / 2
        if ctx.train:
            slope = jax.random.uniform(ctx.rng(), x.shape, x.dtype, self.low, self.high)
        return jnp.where(x > 0, x, slope * x)


def _ordered(axes: tuple[int, ...], rank: int) -> list[int]:
    return sorted({a % rank for a in axes})
