"""Piecewise and basic activations: used bare (`relu`) or with options (`leaky_relu(negative_slope=0.2)`).

Subgradients at kinks follow torch: the slope of the flat or the lower piece, so that no gradient passes at a bound.
`jax.nn` takes that of the upper piece in `leaky_relu`, `hard_tanh` and `abs`.

Shapes: any, unchanged.
"""

from __future__ import annotations

import functools
import typing

import jax
import jax.numpy as jnp

from compose.core.function import Registers, function

__all__ = [
    "hard_shrink", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "relu", "relu6", "sigmoid", "soft_shrink",
    "sparse_plus", "sparse_sigmoid", "tanh", "threshold",
]  # fmt: skip

activation = typing.cast(Registers, functools.partial(function, floats=True, like_input=True))


@activation(also=(jax.nn.relu,))
def relu(x, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0):
    """`max(x, 0)`; slope 0 at 0, as in torch.

    Elsewhere: torch `ReLU`, Flax `relu`; the options are those of Keras `ReLU`: `x` from `threshold` to `max_value` and
    `negative_slope * (x - threshold)` below.
    """
    if max_value is None and negative_slope == 0 and threshold == 0:
        return jax.nn.relu(x)
    below = negative_slope * (x - threshold) if negative_slope else jnp.zeros_like(x)
    y = jnp.where(x <= threshold, below, x)  # NaN stays
    return y if max_value is None else jnp.where(x >= max_value, max_value, y)


@activation(also=(jax.nn.relu6,))
def relu6(x):
    """`min(max(x, 0), 6)`; slope 0 at 0 and 6, as in torch.

    Elsewhere: Keras `relu6`, torch `ReLU6`, Flax `relu6`.
    """
    return hard_tanh.fn(x, 0.0, 6.0)


@activation(also=(jax.nn.leaky_relu,))
def leaky_relu(x, negative_slope: float = 0.01):
    """`x` above 0 and `negative_slope * x` below; the lower slope at 0, as in torch.

    Elsewhere: torch `LeakyReLU` and Flax `leaky_relu` 0.01; Keras `LeakyReLU` 0.3, `tf.nn.leaky_relu` 0.2.
    """
    return jnp.where(x > 0, x, negative_slope * x)


@activation(also=(jax.nn.sigmoid, jax.scipy.special.expit))
def sigmoid(x):
    """`1 / (1 + exp(-x))`.

    Elsewhere: Keras `sigmoid`, torch `Sigmoid`, Flax `sigmoid`.
    """
    return jax.nn.sigmoid(x)


@activation(also=(jnp.tanh, jax.lax.tanh))
def tanh(x):
    """The hyperbolic tangent.

    Elsewhere: Keras `tanh`, torch `Tanh`, Flax `tanh`.
    """
    return jnp.tanh(x)


@activation(also=(jax.nn.hard_tanh,))
def hard_tanh(x, min_value: float = -1.0, max_value: float = 1.0):
    """`x` clipped to `min_value` and `max_value`; slope 0 at the bounds, as in torch. `clip` has slope 1 there.

    Elsewhere: Keras `hard_tanh`, torch `Hardtanh`, Flax `hard_tanh`.
    """
    return jnp.where(x <= min_value, min_value, jnp.where(x >= max_value, max_value, x))


@activation(also=(jax.nn.hard_sigmoid,))
def hard_sigmoid(x):
    """`min(max(x + 3, 0), 6) / 6`; slope 0 at ±3, as in torch.

    Elsewhere: Keras `hard_sigmoid`, torch `Hardsigmoid`, Flax `hard_sigmoid`; Keras 2 had `0.2 x + 0.5` clipped to
    0 and 1.
    """
    return relu6.fn(x + 3) / 6


@activation(also=(jax.nn.hard_swish,))
def hard_swish(x):
    """`x * hard_sigmoid(x)` (Howard et al., MobileNetV3, 2019); slope 0 at -3 and 1 at 3, as in torch.

    Elsewhere: Keras `hard_swish`, torch `Hardswish`, Flax `hard_swish`.
    """
    return jnp.where(x <= -3, x * 0, jnp.where(x >= 3, x, x * (x + 3) / 6))  # NaN at -inf, as elsewhere


@activation
def hard_shrink(x, threshold: float = 0.5):
    """`x` where `|x|` is above `threshold`, else 0; slope 0 at ±threshold (torch `lambd`).

    Elsewhere: Keras `hard_shrink`, torch `Hardshrink`.
    """
    return jnp.where(jnp.abs(x) <= threshold, 0, x)  # NaN stays, as in torch


@activation
def soft_shrink(x, threshold: float = 0.5):
    """`x` moved towards 0 by `threshold`, 0 within it; slope 0 at ±threshold (torch `lambd`).

    Elsewhere: Keras `soft_shrink`, torch `Softshrink`.
    """
    outside = jnp.where(x > threshold, x - threshold, x + threshold)
    return jnp.where(jnp.abs(x) <= threshold, 0, outside)


@function(floats=True)
def threshold(x, threshold: float, value: float):
    """`x` above `threshold`, else `value`; slope 0 at the threshold, as in torch.

    Elsewhere: Keras `threshold`, torch `Threshold`.
    """
    return jnp.where(x <= threshold, value, x)


@activation(also=(jax.nn.sparse_plus,))
def sparse_plus(x):
    """0 below -1, `x` above 1, `(x + 1)² / 4` between: a softplus that is exactly 0 for small inputs.

    Elsewhere: Keras `sparse_plus`.
    """
    return jax.nn.sparse_plus(x)


@activation(also=(jax.nn.sparse_sigmoid,))
def sparse_sigmoid(x):
    """`(x + 1) / 2` clipped to 0 and 1: the derivative of `sparse_plus`; slope 0 at ±1.

    Elsewhere: Keras `sparse_sigmoid`.
    """
    return hard_tanh.fn((x + 1) / 2, 0.0, 1.0)
