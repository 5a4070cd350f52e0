"""Reductions over axes whose gradient at 0 differs from that of their namesakes in JAX.

Shapes: any, without the axes reduced over; `keepdims=True` keeps them with length 1.
"""

from __future__ import annotations

import jax.numpy as jnp

from compose.core.function import function

__all__ = ["norm", "std"]

Axis = int | tuple[int, ...]


@function(floats=True)
def std(x, axis: Axis | None = None, ddof: int = 0, keepdims: bool = False):
    """The standard deviation over `axis`, divided by `n - ddof`, with gradient 0 where it is 0, as in torch.

    The gradient of `ops.std`, JAX's, is NaN there.

    Elsewhere: Keras `ops.std`, torch `std`.
    """
    return root(jnp.var(x, axis, ddof=ddof, keepdims=keepdims))


@function(floats=True)
def norm(x, axis: Axis = -1, order: float = 2.0, keepdims: bool = False):
    """`sum(|x| ** order) ** (1 / order)` over `axis`, with gradient 0 at 0, as in torch.

    Order `inf` is the largest of `|x|`, `-inf` the smallest, and 0 counts what is not 0. The gradient of `ops.norm`,
    JAX's, is NaN at 0, and its `ord` makes matrix norms of two axes.

    Elsewhere: Keras `ops.norm`, torch `linalg.vector_norm`.
    """
    if order == 2:
        return root(jnp.sum(x * x, axis, keepdims=keepdims))
    size = x * jnp.sign(x)
    if order == 1:
        return jnp.sum(size, axis, keepdims=keepdims)
    if abs(order) == jnp.inf:
        extreme = jnp.max if order > 0 else jnp.min
        return extreme(size, axis, keepdims=keepdims)
    if order == 0:
        return jnp.sum(size != 0, axis, keepdims=keepdims).astype(x.dtype)
    total = jnp.sum(_power(size, order), axis, keepdims=keepdims)
    found = _power(total, 1 / order)
    return found if order > 0 else jnp.where(jnp.any(size == 0, axis, keepdims=keepdims), 0, found)


def root(square):
    """The square root whose gradient at 0 is 0. It keeps NaN, which is not above 0 either."""
    zero = square == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)))


def _power(size, order: float):
    """The power of what is not negative, whose value and gradient at 0 are 0."""
    zero = size == 0
    return jnp.where(zero, 0, jnp.where(zero, 1, size) ** order)
