"""The order of values along an axis, and picking by position."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from compose.core.errors import ShapeError, shape_text
from compose.core.function import function

__all__ = ["argsort", "gather", "sort", "top_k"]


@function
def sort(x, axis: int = -1, descending: bool = False):
    """The values in order along `axis`.

    Shapes: any, unchanged. Elsewhere: Keras `ops.sort`, torch `sort`.
    """
    return jnp.sort(x, axis, descending=descending)


@function
def argsort(x, axis: int = -1, descending: bool = False):
    """The positions of the values in order along `axis`; those that tie stay in their order.

    Shapes: any, unchanged. Elsewhere: Keras `ops.argsort`, torch `argsort(stable=True)`.
    """
    return jnp.argsort(x, axis, descending=descending)


@function
def top_k(x, k: int):
    """A tuple of the `k` largest values of the last axis, the largest first, and their positions.

    Shapes: `(..., n)`, to two arrays `(..., k)`. Elsewhere: Keras `ops.top_k`, torch `topk`.
    """
    if x.ndim == 0 or k > x.shape[-1]:
        raise ShapeError(f"a last axis of at least {k}", shape_text(x))
    return tuple(lax.top_k(x, k))


@function
def gather(x, positions, axis: int = -1):
    """The values of `x` at `positions` along `axis`, for each place of the other axes by itself.

    Shapes: two arrays of the same rank that agree but for `axis`, to that of `positions`. Elsewhere: Keras
    `ops.take_along_axis`, torch `gather`.
    """
    return jnp.take_along_axis(x, positions, axis)
