"""Activations: functions of arrays, used bare (`relu`) or with options (`leaky_relu(negative_slope=0.2)`).

Gradients where two pieces meet are those of `jax.nn`; a docstring says where torch's differ.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from compose.core.function import function

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]

activation = functools.partial(function, floats=True)


@activation(also=(jax.nn.relu,))
def relu(x):
    """`max(x, 0)`; its gradient at 0 is 0, as in torch."""
    return jax.nn.relu(x)


@activation(also=(jax.nn.sigmoid, jax.scipy.special.expit))
def sigmoid(x):
    """`1 / (1 + exp(-x))`."""
    return jax.nn.sigmoid(x)


@activation(also=(jnp.tanh, jax.lax.tanh))
def tanh(x):
    """The hyperbolic tangent."""
    return jnp.tanh(x)


@activation(also=(jax.nn.softmax,))
def softmax(x, axis: int = -1):
    """`exp(x) / sum(exp(x))` over `axis`."""
    return jax.nn.softmax(x, axis=axis)


@activation(also=(jax.nn.log_softmax,))
def log_softmax(x, axis: int = -1):
    """The logarithm of `softmax`, without its loss of precision."""
    return jax.nn.log_softmax(x, axis=axis)
