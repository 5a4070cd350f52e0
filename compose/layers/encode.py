"""Encodings: integers as vectors, numbers as bins, integers as vocabulary indices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, DtypeError
from compose.core.function import function
from compose.core.layer import Layer, layer

__all__ = ["bucketize", "integer_lookup", "multi_hot", "one_hot"]


@function
def one_hot(x, size: int, dtype: type = jnp.float32):
    """One-hot encoding of ids; all zeros for an id out of range.

    Shapes: `ids (...) -> (..., size)`. Elsewhere: Keras `CategoryEncoding(size, output_mode="one_hot")`, torch
    `functional.one_hot`, Flax `one_hot`.
    """
    return jax.nn.one_hot(x, size, dtype=dtype)


@function
def multi_hot(x, size: int, dtype: type = jnp.float32):
    """Multi-hot encoding of the ids along the last axis.

    Shapes: `ids (..., n) -> (..., size)`. Elsewhere: Keras `CategoryEncoding(size)`.
    """
    return jax.nn.one_hot(x, size, dtype=dtype).max(-2)


@function
def bucketize(x, boundaries: tuple[float, ...]):
    """The index of the bin of `x`: the number of ascending boundaries that are at most `x`.

    Shapes: any, unchanged. Elsewhere: Keras `Discretization(bin_boundaries)`, torch `bucketize`.
    """
    return jnp.searchsorted(jnp.asarray(boundaries, x.dtype), x, side="right")


@layer
class integer_lookup(Layer):
    """Each integer's index in the vocabulary, after those for unknown integers: `unknown + i` for `vocabulary[i]`.

    Shapes: `(...)` of integers, unchanged. An integer `v` that is not in the vocabulary gets `v mod unknown`. With a
    `mask_token`, all indices are shifted by one, and the mask token gets 0.

    Elsewhere: Keras `IntegerLookup(vocabulary, num_oov_indices=unknown)` with its default "floormod"; write its output
    modes as `integer_lookup(...) >> multi_hot(size=...)`, without a mask token. Vocabulary files, `adapt`, hashing and
    `num_oov_indices=0`, which raises depending on values, as is impossible under jit, are not supported.

    Args:
        vocabulary: the known integers, without duplicates.
        unknown: the number of indices shared by unknown integers.
        mask_token: the integer that means "masked".
    """

    vocabulary: tuple[int, ...]
    unknown: int = 1
    mask_token: int | None = None

    def validate(self):
        if not self.vocabulary or len(set(self.vocabulary)) < len(self.vocabulary):
            raise ConfigError("a vocabulary of distinct integers", str(self.vocabulary))
        if self.mask_token in self.vocabulary:
            raise ConfigError("a mask token outside the vocabulary", str(self.mask_token))
        if self.unknown < 1:
            raise ConfigError("at least one place for the unknown", str(self.unknown))

    def forward(self, p, x, ctx):
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise DtypeError("integers", str(x.dtype), "bucketize numbers first")
        limits = jnp.iinfo(x.dtype)
        if min(self.vocabulary) < limits.min or max(self.vocabulary) > limits.max:
            raise DtypeError(f"integers that hold the vocabulary, up to {max(self.vocabulary)}", str(x.dtype))
        order = np.argsort(self.vocabulary)
        known = jnp.asarray(np.asarray(self.vocabulary)[order], x.dtype)
        at = jnp.searchsorted(known, x).clip(max=len(order) - 1)
        first = 0 if self.mask_token is None else 1
        found = jnp.asarray(order + first + self.unknown, at.dtype)[at]
        y = jnp.where(known[at] == x, found, first + (x % self.unknown).astype(at.dtype))
        return y if self.mask_token is None else jnp.where(x == self.mask_token, 0, y)
