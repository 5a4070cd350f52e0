"""Normalisation over the batch, the features, or groups of them."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax

from compose.core.errors import ConfigError, expect_float, expect_rank
from compose.core.initializer import Initializer
from compose.core.layer import Layer, StatefulLayer, layer
from compose.core.param import Param
from compose.layers.initializers import ones, zeros

__all__ = ["batch_norm", "layer_norm"]


@layer
class batch_norm(StatefulLayer):
    """Zero mean and unit variance of each channel over the batch, then `scale` and `bias`.

    Ioffe & Szegedy, Batch Normalization, 2015. In training by the batch's statistics, which it averages
    into the state `mean` and `var`; in inference by those.

    Shapes: `(batch, ..., channels)`, unchanged; parameters and state `(channels,)`.
    Elsewhere: Flax `BatchNorm` with these defaults; torch `BatchNorm1d/2d/3d` averages the unbiased
    variance and says momentum 0.1 for our 0.9 (`momentum=0.9, unbiased=True`); Keras
    `BatchNormalization` has `epsilon=1e-3`.

    Args:
        momentum: the share of the old statistics that stays.
        epsilon: added to the variance.
        scale, bias: whether to have them.
        unbiased: whether the running variance divides by n - 1.
    """

    momentum: float = 0.99
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    unbiased: bool = False
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    def params(self, x):
        expect_rank(x, range(2, 99), "(batch, ..., channels)")
        expect_float(x)
        yield from affine(self, (x.shape[-1],))

    def state(self, x):
        dtype = jnp.promote_types(x.dtype, jnp.float32)
        yield "mean", Param((x.shape[-1],), zeros, dtype)
        yield "var", Param((x.shape[-1],), ones, dtype)

    def forward(self, p, s, x, ctx):
        if not ctx.train:
            return normalise(x, s["mean"], s["var"], self.epsilon, p), s
        axes = tuple(range(x.ndim - 1))
        mean, var = moments(x, axes)
        n = math.prod(x.shape[:-1])
        seen = var * (n / max(n - 1, 1)) if self.unbiased else var
        keep = self.momentum
        after = {
            "mean": lax.stop_gradient(keep * s["mean"] + (1 - keep) * mean),
            "var": lax.stop_gradient(keep * s["var"] + (1 - keep) * seen),
        }
        return normalise(x, mean, var, self.epsilon, p), after


@layer
class layer_norm(Layer):
    """Zero mean and unit variance of each example over its last axes, then `scale` and `bias`.

    Ba et al., Layer Normalization, 2016. Shapes: any, unchanged; parameters of the shape of those axes.
    Elsewhere: torch `LayerNorm` with these defaults; Keras `LayerNormalization` has `epsilon=1e-3`, Flax
    `LayerNorm` `epsilon=1e-6`.

    Args:
        axes: how many of the last axes are normalised together.
    """

    axes: int = 1
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    def validate(self):
        if self.axes < 1:
            raise ConfigError("at least one axis", str(self.axes))

    def params(self, x):
        expect_rank(x, range(self.axes, 99), f"of at least {self.axes} axes")
        expect_float(x)
        yield from affine(self, x.shape[-self.axes :])

    def forward(self, p, x, ctx):
        mean, var = moments(x, tuple(range(-self.axes, 0)), keepdims=True)
        return normalise(x, mean, var, self.epsilon, p)


def moments(x, axes: tuple[int, ...], keepdims: bool = False):
    """Mean and variance, in float32 at least; the variance of the centred values, exact at any mean."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = wide.mean(axes, keepdims=True)
    var = jnp.square(wide - mean).mean(axes, keepdims=keepdims)
    return (mean if keepdims else jnp.squeeze(mean, axes)), var


def normalise(x, mean, var, epsilon: float, p):
    """`(x - mean) / sqrt(var + epsilon)`, times `scale` and plus `bias` where there are such."""
    factor = lax.rsqrt(var + epsilon)
    factor = factor * p["scale"] if "scale" in p else factor
    y = (x - mean) * factor
    y = y + p["bias"] if "bias" in p else y
    return y.astype(x.dtype)


def affine(norm, shape: tuple[int, ...]):
    """The `scale` and `bias` that a norm asks for."""
    if norm.scale:
        yield "scale", Param(shape, norm.scale_init, axes=("out",) * len(shape))
    if norm.bias:
        yield "bias", Param(shape, norm.bias_init, axes=("out",) * len(shape))
