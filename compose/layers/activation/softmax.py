"""Activations along an axis: softmax, gated units, maxout."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.errors import ShapeError, shape_text
from compose.core.function import function
from compose.core.precision import narrow, wide

__all__ = ["glu", "log_softmax", "maxout", "soft_min", "softmax", "sparsemax"]


@function(floats=True, also=(jax.nn.softmax,))
def softmax(x, axis: int | tuple[int, ...] = -1):
    """`exp(x) / sum(exp(x))` over `axis`, or over several at once, computed in float32 or wider.

    Shapes: any, unchanged. Elsewhere: Keras `Softmax`, torch `Softmax`, Flax `softmax`.
    """
    return narrow(jax.nn.softmax(wide(x), axis=axis), x)


@function(floats=True, also=(jax.nn.log_softmax,))
def log_softmax(x, axis: int = -1):
    """The logarithm of `softmax`, computed stably.

    Shapes: any, unchanged. Elsewhere: Keras `log_softmax`, torch `LogSoftmax`, Flax `log_softmax`.
    """
    return narrow(jax.nn.log_softmax(wide(x), axis=axis), x)


@function(floats=True)
def soft_min(x, axis: int = -1):
    """`softmax(-x)`.

    Shapes: any, unchanged. Elsewhere: torch `Softmin`.
    """
    return narrow(jax.nn.softmax(-wide(x), axis=axis), x)


@function(floats=True)
def sparsemax(x, axis: int = -1):
    """The point of the probability simplex nearest to `x`, mostly zeros (Martins & Astudillo, 2016).

    Shapes: any, unchanged. Elsewhere: Keras `sparsemax`, which in 3.15 subtracts too much if several elements
    are positive, so that it does not sum to 1.
    """
    z = jnp.moveaxis(wide(x), axis, -1)
    largest = jnp.flip(jnp.sort(z, -1), -1)
    count = jnp.arange(1, z.shape[-1] + 1, dtype=z.dtype)
    totals = jnp.cumsum(largest, -1)
    support = jnp.sum(1 + count * largest > totals, -1, keepdims=True)
    cut = (jnp.take_along_axis(totals, support - 1, -1) - 1) / support.astype(z.dtype)
    return narrow(jnp.moveaxis(jnp.where(z > cut, z - cut, 0), -1, axis), x)


@function(floats=True, also=(jax.nn.glu,))
def glu(x, axis: int = -1):
    """`a * sigmoid(b)`, where `a` and `b` are the halves of `x` along `axis` (Dauphin et al., 2016).

    Other gated units are expressions: SwiGLU is `fc(n, silu) * fc(n)`, GEGLU `fc(n, gelu) * fc(n)`.

    Shapes: `(..., 2n) -> (..., n)`. Elsewhere: Keras `glu`, torch `GLU`, Flax `glu`.
    """
    if x.shape[axis] % 2:
        raise ShapeError(f"an even length along axis {axis}", shape_text(x))
    a, b = jnp.split(x, 2, axis)
    return a * jax.nn.sigmoid(b)


@function(floats=True)
def maxout(x, pieces: int = 2):
    """The maximum of each `pieces` adjacent features (Goodfellow et al., 2013): `fc(2 * n) >> maxout`.

    Shapes: `(..., n · pieces) -> (..., n)`.
    """
    if x.shape[-1] % pieces:
        raise ShapeError(f"channels divisible by {pieces} pieces", shape_text(x))
    return x.reshape(*x.shape[:-1], -1, pieces).max(-1)
