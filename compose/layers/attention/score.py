"""Attention without projections, with dot-product or additive scores."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer, unlisted
from compose.core.param import Param
from compose.layers.attention.dot_product import allowed, split_attention, weigh
from compose.layers.initializers import glorot_uniform, ones

__all__ = ["additive_attention", "dot_attention"]


@unlisted
class Scored(Layer):
    """`softmax(score(query, key)) @ value`, for `(x, memory)` or `(query, key, value)` of `(batch, time, n)`.

    A mask or lengths of the keys may come last, as in `multi_head_attention`.

    Args:
        causal: mask later keys.
        dropout: the dropout rate of the attention weights.
        return_weights: return `(output, weights (batch, queries, keys))`.
    """

    causal: bool = False
    dropout: float = 0.0
    return_weights: bool = False

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0

    def validate(self):
        if not 0 <= self.dropout < 1:
            raise ConfigError("a dropout rate from 0 to below 1", str(self.dropout))

    def params(self, x) -> Any:
        q, k, v, _, _ = split_attention(x)
        for part in (q, k, v):
            expect_rank(part, 3, "(batch, time, features)")
            expect_float(part)
        if q.shape[-1] != k.shape[-1]:
            raise ShapeError("queries and keys with equal features", shape_text((q, k)))
        return self.scoring(q.shape[-1])

    def scoring(self, n: int) -> Any:
        """The parameters of `score`, for n features."""
        raise NotImplementedError

    def score(self, p, q, k) -> Any:
        """The scores `(batch, queries, keys)`."""
        raise NotImplementedError

    def forward(self, p, x, ctx):
        q, k, v, mask, _ = split_attention(x)
        y, weights = weigh(
            self.score(p, q, k)[:, None], v[:, :, None],
            mask=allowed(mask, q[:, :, None], k[:, :, None], self.causal, None),
            empty_rows=mask is not None,
            dropout=(self.dropout, ctx.rng) if ctx.train and self.dropout else None,
        )  # fmt: skip
        y = y.squeeze(2)
        return (y, weights.squeeze(1)) if self.return_weights else y


@layer
class dot_attention(Scored):
    """`softmax(query @ keyᵀ) @ value` (Luong et al., 2015).

    Shapes: `(batch, queries, n), (batch, keys, n), (batch, keys, m) -> (batch, queries, m)`; parameters: `scale ()`,
    if enabled. Elsewhere: Keras `Attention`, whose order is (query, value, key); for a query with every key masked,
    Keras 3 returns the mean of the values, and this layer zeros.

    Args:
        scale: multiply the scores by a learned number, initialised to 1.
    """

    scale: bool = False
    scale_init: Initializer = ones

    def scoring(self, n: int):
        if self.scale:
            yield "scale", Param((), self.scale_init)

    def score(self, p, q, k):
        s = jnp.einsum("bqd,bkd->bqk", q, k)
        return s * p["scale"] if self.scale else s


@layer
class additive_attention(Scored):
    """`softmax(Σ scale · tanh(query + key)) @ value` (Bahdanau et al., 2014).

    Shapes: `(batch, queries, n), (batch, keys, n), (batch, keys, m) -> (batch, queries, m)`; parameters: `scale (n,)`.
    Elsewhere: Keras `AdditiveAttention`, whose order is (query, value, key).

    Args:
        scale: whether the features have learned weights in the sum.
    """

    scale: bool = True
    scale_init: Initializer = glorot_uniform

    def scoring(self, n: int):
        if self.scale:
            yield "scale", Param((n,), self.scale_init, axes=("in",))

    def score(self, p, q, k):
        s = jnp.tanh(q[:, :, None] + k[:, None])
        return s @ p["scale"] if self.scale else s.sum(-1)
