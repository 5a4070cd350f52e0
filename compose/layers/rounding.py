"""Whole numbers near each element. Their slope is 0.

Shapes: any, unchanged.
"""

from __future__ import annotations

import jax.numpy as jnp

from compose.layers.activation.basic import activation

__all__ = ["ceil", "floor", "round"]


@activation(also=(jnp.ceil,))
def ceil(x):
    """The least whole number not below `x`.

    Elsewhere: Keras `ops.ceil`, torch `ceil`.
    """
    return jnp.ceil(x)


@activation(also=(jnp.floor,))
def floor(x):
    """The greatest whole number not above `x`.

    Elsewhere: Keras `ops.floor`, torch `floor`.
    """
    return jnp.floor(x)


@activation(also=(jnp.round,))
def round(x):
    """The nearest whole number, of two the even one.

    Elsewhere: Keras `ops.round`, torch `round`.
    """
    return jnp.round(x)
