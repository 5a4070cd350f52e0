"""Angles and their functions, of each element by itself, by torch's names.

Shapes: any, unchanged.
"""

from __future__ import annotations

import jax.numpy as jnp

from compose.layers.activation.basic import activation

__all__ = ["acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "sinh", "tan"]


@activation(also=(jnp.arccos,))
def acos(x):
    """The arc cosine, from 0 to π.

    Elsewhere: Keras `ops.arccos`, torch `acos`.
    """
    return jnp.arccos(x)


@activation(also=(jnp.arccosh,))
def acosh(x):
    """The inverse of `cosh`, at least 0.

    Elsewhere: Keras `ops.arccosh`, torch `acosh`.
    """
    return jnp.arccosh(x)


@activation(also=(jnp.arcsin,))
def asin(x):
    """The arc sine, from -π/2 to π/2.

    Elsewhere: Keras `ops.arcsin`, torch `asin`.
    """
    return jnp.arcsin(x)


@activation(also=(jnp.arcsinh,))
def asinh(x):
    """The inverse of `sinh`.

    Elsewhere: Keras `ops.arcsinh`, torch `asinh`.
    """
    return jnp.arcsinh(x)


@activation(also=(jnp.arctan,))
def atan(x):
    """The arc tangent, from -π/2 to π/2.

    Elsewhere: Keras `ops.arctan`, torch `atan`.
    """
    return jnp.arctan(x)


@activation(also=(jnp.arctanh,))
def atanh(x):
    """The inverse of `tanh`.

    Elsewhere: Keras `ops.arctanh`, torch `atanh`.
    """
    return jnp.arctanh(x)


@activation(also=(jnp.cosh,))
def cosh(x):
    """`(exp(x) + exp(-x)) / 2`.

    Elsewhere: Keras `ops.cosh`, torch `cosh`.
    """
    return jnp.cosh(x)


@activation(also=(jnp.sinh,))
def sinh(x):
    """`(exp(x) - exp(-x)) / 2`.

    Elsewhere: Keras `ops.sinh`, torch `sinh`.
    """
    return jnp.sinh(x)


@activation(also=(jnp.tan,))
def tan(x):
    """The tangent.

    Elsewhere: Keras `ops.tan`, torch `tan`.
    """
    return jnp.tan(x)
