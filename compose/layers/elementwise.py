"""Functions of each element whose gradient at a corner differs from that of their namesakes in `jax.numpy`.

Shapes: any, unchanged.
"""

from __future__ import annotations

import jax.numpy as jnp

from compose.core.function import function
from compose.layers.activation.basic import activation

__all__ = ["absolute", "clip"]


@function
def absolute(x):
    """`|x|` with slope 0 at 0, as in torch; `ops.abs`, JAX's, has slope 1 there.

    Elsewhere: Keras `ops.abs`, torch `abs`.
    """
    return x * jnp.sign(x)


@activation
def clip(x, min: float | None = None, max: float | None = None):
    """`x` limited to `min` and `max`, with slope 1 at the bounds, as in torch; `ops.clip`, JAX's, has slope 1/2 there.

    Elsewhere: Keras `ops.clip`, torch `clamp`.
    """
    x = x if min is None else jnp.where(x < min, min, x)
    return x if max is None else jnp.where(x > max, max, x)
