"""Integers as vectors, and numbers as integers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.core.function import function

__all__ = ["bucketize", "multi_hot", "one_hot"]


@function
def one_hot(x, size: int, dtype: type = jnp.float32):
    """A 1 at the place of each id: `(...) -> (..., size)`; zeros for an id outside.

    Elsewhere: Keras `CategoryEncoding(size, output_mode="one_hot")`, torch `one_hot`.
    """
    return jax.nn.one_hot(x, size, dtype=dtype)


@function
def multi_hot(x, size: int, dtype: type = jnp.float32):
    """A 1 at the place of each id of the last axis: `(..., n) -> (..., size)`; Keras `CategoryEncoding(size)`."""
    return jax.nn.one_hot(x, size, dtype=dtype).max(-2)


@function
def bucketize(x, boundaries: tuple[float, ...]):
    """How many of the ascending boundaries are at most `x`; Keras `Discretization(bin_boundaries)`."""
    return jnp.searchsorted(jnp.asarray(boundaries, x.dtype), x, side="right")
