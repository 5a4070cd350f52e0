"""Functions of each element by itself, by the names of `jax.numpy`."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.function import function
from compose.layers.activation import activation

__all__ = ["abs", "clip", "cos", "erf", "exp", "log", "power", "reciprocal", "rsqrt", "sign", "sin", "sqrt", "square"]


@function(also=(jnp.abs, jnp.absolute))
def abs(x):
    """`|x|`; slope 0 at 0, as in torch (`jnp.abs` has 1)."""
    return x * jnp.sign(x)


@activation
def clip(x, low: float | None = None, high: float | None = None):
    """`x` cut to `low` and `high`; slope 1 at the bounds, as in torch `clamp` (`jnp.clip` has a half)."""
    x = x if low is None else jnp.where(x < low, low, x)
    return x if high is None else jnp.where(x > high, high, x)


@activation(also=(jnp.cos,))
def cos(x):
    """The cosine."""
    return jnp.cos(x)


@activation(also=(jax.scipy.special.erf, jax.lax.erf))
def erf(x):
    """The error function."""
    return jax.scipy.special.erf(x)


@activation(also=(jnp.exp,))
def exp(x):
    """`exp(x)`; Keras's activation `exponential`."""
    return jnp.exp(x)


@activation(also=(jnp.log,))
def log(x):
    """The natural logarithm."""
    return jnp.log(x)


@activation
def power(x, exponent: float):
    """`x ** exponent`."""
    return x**exponent


@activation(also=(jnp.reciprocal,))
def reciprocal(x):
    """`1 / x`."""
    return 1 / x


@activation(also=(jax.lax.rsqrt,))
def rsqrt(x):
    """`1 / sqrt(x)`."""
    return jax.lax.rsqrt(x)


@function(also=(jnp.sign,))
def sign(x):
    """-1, 0 or 1."""
    return jnp.sign(x)


@activation(also=(jnp.sin,))
def sin(x):
    """The sine."""
    return jnp.sin(x)


@activation(also=(jnp.sqrt,))
def sqrt(x):
    """The square root."""
    return jnp.sqrt(x)


@function(also=(jnp.square,))
def square(x):
    """`x * x`."""
    return jnp.square(x)
