"""Functions of each element by itself, by the names of `jax.numpy`.

Shapes: any, unchanged.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.function import function
from compose.layers.activation.basic import activation

__all__ = [
    "abs", "clip", "cos", "erf", "exp", "expm1", "log", "log1p", "power", "reciprocal", "rsqrt", "sign", "sin", "sqrt",
    "square", "stop_gradient",
]  # fmt: skip


@function(also=(jnp.abs, jnp.absolute))
def abs(x):
    """`|x|`; slope 0 at 0, as in torch (`jnp.abs` has 1).

    Elsewhere: Keras `ops.abs`, torch `abs`.
    """
    return x * jnp.sign(x)


@activation
def clip(x, low: float | None = None, high: float | None = None):
    """`x` cut to `low` and `high`; slope 1 at the bounds, as in torch `clamp` (`jnp.clip` has a half).

    Elsewhere: Keras `ops.clip`, torch `clamp`.
    """
    x = x if low is None else jnp.where(x < low, low, x)
    return x if high is None else jnp.where(x > high, high, x)


@activation(also=(jnp.cos,))
def cos(x):
    """The cosine.

    Elsewhere: Keras `ops.cos`, torch `cos`.
    """
    return jnp.cos(x)


@activation(also=(jax.scipy.special.erf, jax.lax.erf))
def erf(x):
    """The error function.

    Elsewhere: Keras `ops.erf`, torch `erf`.
    """
    return jax.scipy.special.erf(x)


@activation(also=(jnp.exp,))
def exp(x):
    """`exp(x)`.

    Elsewhere: Keras `exponential`, torch `exp`.
    """
    return jnp.exp(x)


@activation(also=(jnp.expm1,))
def expm1(x):
    """`exp(x) - 1`, exact near 0.

    Elsewhere: Keras `ops.expm1`, torch `expm1`.
    """
    return jnp.expm1(x)


@activation(also=(jnp.log,))
def log(x):
    """The natural logarithm.

    Elsewhere: Keras `ops.log`, torch `log`.
    """
    return jnp.log(x)


@activation(also=(jnp.log1p,))
def log1p(x):
    """`log(1 + x)`, exact near 0.

    Elsewhere: Keras `ops.log1p`, torch `log1p`.
    """
    return jnp.log1p(x)


@function(floats=True)
def power(x, exponent: float):
    """`x ** exponent`.

    Elsewhere: Keras `ops.power`, torch `pow`.
    """
    return x**exponent


@activation(also=(jnp.reciprocal,))
def reciprocal(x):
    """`1 / x`.

    Elsewhere: Keras `ops.reciprocal`, torch `reciprocal`.
    """
    return 1 / x


@activation(also=(jax.lax.rsqrt,))
def rsqrt(x):
    """`1 / sqrt(x)`.

    Elsewhere: Keras `ops.rsqrt`, torch `rsqrt`.
    """
    return jax.lax.rsqrt(x)


@function(also=(jnp.sign,))
def sign(x):
    """-1, 0 or 1.

    Elsewhere: Keras `ops.sign`, torch `sign`.
    """
    return jnp.sign(x)


@activation(also=(jnp.sin,))
def sin(x):
    """The sine.

    Elsewhere: Keras `ops.sin`, torch `sin`.
    """
    return jnp.sin(x)


@activation(also=(jnp.sqrt,))
def sqrt(x):
    """The square root.

    Elsewhere: Keras `ops.sqrt`, torch `sqrt`.
    """
    return jnp.sqrt(x)


@function(also=(jnp.square,))
def square(x):
    """`x * x`.

    Elsewhere: Keras `ops.square`, torch `square`.
    """
    return jnp.square(x)


@function(also=(jax.lax.stop_gradient,), like_input=True)
def stop_gradient(x):
    """The input, as a constant to the gradient.

    Elsewhere: Keras `ops.stop_gradient`, torch `detach`.
    """
    return jax.lax.stop_gradient(x)
