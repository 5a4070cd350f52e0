"""Batch norm, layer norm and RMS norm."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from compose.core.errors import ConfigError, expect_float, expect_rank
from compose.core.initializer import Initializer
from compose.core.layer import Layer, StatefulLayer, layer
from compose.core.padding import mask_over
from compose.core.param import Param
from compose.layers.initializers import ones, zeros
from compose.layers.window import along_channels, channel_axis

__all__ = ["batch_norm", "layer_norm", "rms_norm"]


@layer
class batch_norm(StatefulLayer):
    """Normalises each channel over the batch to mean 0 and variance 1, then applies `scale` and `bias`.

    Ioffe & Szegedy, Batch Normalization, 2015. In training it uses the batch's statistics and updates the running
    averages `mean` and `var` in the state; in inference it uses the running averages.

    Shapes: `(batch, ..., channels)`, unchanged; parameters and state `(channels,)`.
    Elsewhere: Flax `BatchNorm` with these defaults; torch `BatchNorm1d/2d/3d` averages the unbiased
    variance, and its momentum 0.1 is our 0.9 (`momentum=0.9, unbiased=True`); Keras
    `BatchNormalization` has `epsilon=1e-3`.

    Args:
        momentum: the weight of the old running averages in the update.
        epsilon: added to the variance.
        scale, bias: whether to have these parameters.
        unbiased: whether the running variance is divided by n - 1.
        channels_first: the input is `(batch, channels, ...)`.
    """

    momentum: float = 0.99
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    unbiased: bool = False
    channels_first: bool = False
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    like_input = True

    def validate(self):
        if not 0 <= self.momentum <= 1:
            raise ConfigError("a momentum from 0 to 1, the weight of the old averages", str(self.momentum))

    def params(self, x):
        layout = "(batch, channels, ...)" if self.channels_first else "(batch, ..., channels)"
        expect_rank(x, range(2, 99), layout)
        expect_float(x)
        yield from affine(self, (x.shape[channel_axis(x, self.channels_first)],))

    def state(self, x):
        channels, dtype = x.shape[channel_axis(x, self.channels_first)], jnp.promote_types(x.dtype, jnp.float32)
        yield "mean", Param((channels,), zeros, dtype)
        yield "var", Param((channels,), ones, dtype)

    def forward(self, p, s, x, ctx):
        shaped = lambda v: along_channels(v, x, self.channels_first)
        p = {k: shaped(v) for k, v in p.items()}
        if not ctx.train:
            return normalise(x - shaped(s["mean"]), shaped(s["var"]), self.epsilon, p, x.dtype), s
        channels = channel_axis(x, self.channels_first)
        real = mask_over(x, ctx.mask)
        mean, centred, var = moments(x, tuple(i for i in range(x.ndim) if i != channels), real=real)
        seen = var * self._unbiased(x, channels, real) if self.unbiased else var
        keep = self.momentum
        after = {
            "mean": lax.stop_gradient(keep * s["mean"] + (1 - keep) * mean),
            "var": lax.stop_gradient(keep * s["var"] + (1 - keep) * seen),
        }
        return normalise(centred, shaped(var), self.epsilon, p, x.dtype), after

    def knows_mask(self, x):
        return not self.channels_first

    def _unbiased(self, x, channels: int, real):
        """`n / (n - 1)` for the number of values in each mean."""
        n = x.size // max(x.shape[channels], 1)
        if real is None:
            return n / max(n - 1, 1)
        n = real.sum() * (n // (x.shape[0] * x.shape[1]))
        return n / jnp.maximum(n - 1, 1)


@layer
class layer_norm(Layer):
    """Normalises each example over its last axes to mean 0 and variance 1, then applies `scale` and `bias`.

    Ba et al., Layer Normalization, 2016. Shapes: any, unchanged; parameters of the shape of those axes.
    The variance is computed from centred values, so it is accurate for any mean.
    Elsewhere: torch `LayerNorm` with these defaults; Keras `LayerNormalization` has `epsilon=1e-3`, Flax
    `LayerNorm` `epsilon=1e-6` and by default a variance that is inaccurate for large means.

    Args:
        axes: the number of last axes to normalise over.
        epsilon: added to the variance.
        scale, bias: whether to have these parameters.
    """

    axes: int = 1
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True
    scale_init: Initializer = ones
    bias_init: Initializer = zeros

    like_input = True

    def validate(self):
        if self.axes < 1:
            raise ConfigError("at least one axis", str(self.axes))

    def params(self, x):
        expect_rank(x, range(self.axes, 99), f"of at least {self.axes} axes")
        expect_float(x)
        yield from affine(self, x.shape[-self.axes :])

    def forward(self, p, x, ctx):
        _, centred, var = moments(x, tuple(range(-self.axes, 0)), keepdims=True)
        return normalise(centred, var, self.epsilon, p, x.dtype)


@layer
class rms_norm(Layer):
    """Divides each example by its root mean square over its last axes, then applies `scale`.

    Zhang & Sennrich, Root Mean Square Layer Normalization, 2019. Shapes: any, unchanged; parameter `scale`
    of the shape of those axes.
    Elsewhere: Flax `RMSNorm` and Keras `RMSNormalization` with these defaults; torch `RMSNorm`, whose default
    epsilon is that of the dtype, 1.2e-7 in float32.

    Args:
        axes: the number of last axes to normalise over.
        epsilon: added to the mean square.
        scale: whether to have this parameter.
    """

    axes: int = 1
    epsilon: float = 1e-6
    scale: bool = True
    scale_init: Initializer = ones

    like_input = True

    def validate(self):
        if self.axes < 1:
            raise ConfigError("at least one axis", str(self.axes))

    def params(self, x):
        expect_rank(x, range(self.axes, 99), f"of at least {self.axes} axes")
        expect_float(x)
        if self.scale:
            yield "scale", Param(x.shape[-self.axes :], self.scale_init, axes=("out",) * self.axes)

    def forward(self, p, x, ctx):
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        factor = lax.rsqrt(jnp.square(wide).mean(tuple(range(-self.axes, 0)), keepdims=True) + self.epsilon)
        y = wide * factor
        return (y * p["scale"] if self.scale else y).astype(x.dtype)


def moments(x, axes: tuple[int, ...], keepdims: bool = False, real=None):
    """The mean, the centred values and their variance, in float32 or wider; accurate for any mean.

    Values where `real` is False do not count.

    The centred values are computed once for the variance and the output: computing them twice doubles XLA's compile
    time for a deep network.
    """
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    average = lambda a: a.mean(axes, keepdims=keepdims)
    if real is not None:
        count = jnp.maximum(jnp.broadcast_to(real, x.shape).sum(axes, keepdims=keepdims), 1)
        average = lambda a: jnp.where(real, a, 0).sum(axes, keepdims=keepdims) / count
    mean = average(wide)
    centred = wide - (mean if keepdims else jnp.expand_dims(mean, axes))
    return mean, centred, average(jnp.square(centred))


def normalise(centred, var, epsilon: float, p, dtype):
    """`centred / sqrt(var + epsilon)`, times `scale` and plus `bias` if present."""
    factor = lax.rsqrt(var + epsilon)
    factor = factor * p["scale"] if "scale" in p else factor
    y = centred * factor
    y = y + p["bias"] if "bias" in p else y
    return y.astype(dtype)


def affine(norm, shape: tuple[int, ...]):
    """The `scale` and `bias` parameters of a norm."""
    if norm.scale:
        yield "scale", Param(shape, norm.scale_init, axes=("out",) * len(shape))
    if norm.bias:
        yield "bias", Param(shape, norm.bias_init, axes=("out",) * len(shape))
