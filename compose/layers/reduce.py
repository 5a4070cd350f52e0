"""Reductions over axes, by the names of `jax.numpy`: `mean(axis=1)`, `max(axis=(1, 2), keepdims=True)`.

Without an axis they reduce everything to one number, the batch too, as `jax.numpy` does.

Shapes: any, without the axes reduced over; `keepdims=True` keeps them with length 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.function import function

__all__ = [
    "argmax", "argmin", "cumprod", "cumsum", "logsumexp", "max", "mean", "min", "norm", "prod", "std", "sum", "var",
]  # fmt: skip

Axis = int | tuple[int, ...]


@function(floats=True, also=(jnp.mean,))
def mean(x, axis: Axis | None = None, keepdims: bool = False):
    """The mean over `axis`.

    Elsewhere: Keras `ops.mean`, torch `mean`.
    """
    return jnp.mean(x, axis, keepdims=keepdims)


@function(also=(jnp.sum,))
def sum(x, axis: Axis | None = None, keepdims: bool = False):
    """The sum over `axis`.

    Elsewhere: Keras `ops.sum`, torch `sum`.
    """
    return jnp.sum(x, axis, keepdims=keepdims)


@function(also=(jnp.prod,))
def prod(x, axis: Axis | None = None, keepdims: bool = False):
    """The product over `axis`.

    Elsewhere: Keras `ops.prod`, torch `prod`.
    """
    return jnp.prod(x, axis, keepdims=keepdims)


@function(also=(jnp.max,))
def max(x, axis: Axis | None = None, keepdims: bool = False):
    """The largest over `axis`; those that tie share the gradient, as in torch `amax` (torch `max` picks one).

    Elsewhere: Keras `ops.max`, torch `amax`.
    """
    return jnp.max(x, axis, keepdims=keepdims)


@function(also=(jnp.min,))
def min(x, axis: Axis | None = None, keepdims: bool = False):
    """The smallest over `axis`; those that tie share the gradient, as in torch `amin`.

    Elsewhere: Keras `ops.min`, torch `amin`.
    """
    return jnp.min(x, axis, keepdims=keepdims)


@function(floats=True, also=(jnp.var,))
def var(x, axis: Axis | None = None, ddof: int = 0, keepdims: bool = False):
    """The variance over `axis`, divided by `n - ddof`; NumPy and Keras 0, torch `ddof=1`.

    Elsewhere: Keras `ops.var`, torch `var`.
    """
    return jnp.var(x, axis, ddof=ddof, keepdims=keepdims)


@function(floats=True, also=(jnp.std,))
def std(x, axis: Axis | None = None, ddof: int = 0, keepdims: bool = False):
    """The root of `var`; gradient 0 where it is 0, as in torch (`jnp.std` has NaN).

    Elsewhere: Keras `ops.std`, torch `std`.
    """
    return _root(jnp.var(x, axis, ddof=ddof, keepdims=keepdims))


@function(floats=True)
def norm(x, axis: Axis = -1, order: float = 2.0, keepdims: bool = False):
    """`sum(|x| ** order) ** (1 / order)` over `axis`; gradient 0 at 0, as in torch (`jnp.linalg.norm` has NaN).

    Elsewhere: Keras `ops.norm`, torch `linalg.vector_norm`.
    """
    if order == 2:
        return _root(jnp.sum(x * x, axis, keepdims=keepdims))
    size = x * jnp.sign(x)
    if order == 1:
        return jnp.sum(size, axis, keepdims=keepdims)
    if order == jnp.inf:
        return jnp.max(size, axis, keepdims=keepdims)
    total = jnp.sum(jnp.where(size > 0, jnp.where(size > 0, size, 1) ** order, 0), axis, keepdims=keepdims)
    return jnp.where(total > 0, jnp.where(total > 0, total, 1) ** (1 / order), 0)


@function(floats=True, also=(jax.nn.logsumexp,))
def logsumexp(x, axis: Axis | None = None, keepdims: bool = False):
    """`log(sum(exp(x)))` over `axis`, without overflow.

    Elsewhere: Keras `ops.logsumexp`, torch `logsumexp`, Flax `logsumexp`.
    """
    return jax.nn.logsumexp(x, axis, keepdims=keepdims)


@function(also=(jnp.argmax,))
def argmax(x, axis: int | None = None, keepdims: bool = False):
    """The position of the largest along `axis`, the first of those that tie.

    Elsewhere: Keras `ops.argmax`, torch `argmax`.
    """
    return jnp.argmax(x, axis, keepdims=keepdims)


@function(also=(jnp.argmin,))
def argmin(x, axis: int | None = None, keepdims: bool = False):
    """The position of the smallest along `axis`, the first of those that tie.

    Elsewhere: Keras `ops.argmin`, torch `argmin`.
    """
    return jnp.argmin(x, axis, keepdims=keepdims)


@function(also=(jnp.cumprod,))
def cumprod(x, axis: int | None = None):
    """The products up to each place along `axis`.

    Shapes: any, unchanged; without an `axis` all in one. Elsewhere: Keras `ops.cumprod`, torch `cumprod`.
    """
    return jnp.cumprod(x, axis)


@function(also=(jnp.cumsum,))
def cumsum(x, axis: int | None = None):
    """The sums up to each place along `axis`.

    Shapes: any, unchanged; without an `axis` all in one. Elsewhere: Keras `ops.cumsum`, torch `cumsum`.
    """
    return jnp.cumsum(x, axis)


def _root(square):
    """The square root whose gradient at 0 is 0."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
