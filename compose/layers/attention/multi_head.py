"""Multi-head attention, with masks, grouped heads, windows and a key-value cache."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from compose.combinators.branch import identity
from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, StatefulLayer, layer
from compose.core.param import Param
from compose.layers.attention.dot_product import added_to, allowed, attend, is_added, split_attention, unmasked
from compose.layers.initializers import glorot_uniform, zeros
from compose.layers.product import product

__all__ = ["multi_head_attention"]


@layer
class multi_head_attention(StatefulLayer):
    """Multi-head attention: `softmax(q @ kᵀ / √head_size) @ v` for each head, projected back (Vaswani et al., 2017).

    Shapes: `(batch, time, n) -> (batch, time, n)`. The input may be a tuple: `(x, memory)` for attention from x to
    memory, or `(query, key, value)`; a boolean mask or integer lengths of the keys may come last. A mask is True where
    a query may attend, as in Keras, Flax and torch's `scaled_dot_product_attention`; in torch's `MultiheadAttention`,
    True means ignore. Its shape is `(batch, keys)`, `(batch, queries, keys)` or `(batch, heads, queries, keys)`.
    `apply(..., mask=)` masks the keys of self-attention. A query with every key masked gets zeros from the heads, as in
    torch; in Keras and Flax it gets the mean of all values: `empty="mean"`. Floats in place of the mask, of four axes,
    are added to the scores, as T5's relative positions, which all of its layers read, are.

    Parameters: `query_kernel (n, heads · head_size)`, `key_kernel`, `value_kernel`,
    `out_kernel (heads · value_size, n)`, and `query_bias`, `key_bias`, `value_bias`, `out_bias`.
    Elsewhere: torch `MultiheadAttention` with `batch_first=True` has one `in_proj_weight` for the first three; its
    `add_bias_kv` and `add_zero_attn` are not supported; Keras
    `MultiHeadAttention` requires `head_size` as `key_dim` and has kernels `(n, heads, head_size)`; Keras
    `GroupQueryAttention` is `kv_heads=`; Flax `MultiHeadDotProductAttention` has Keras's layout.

    Args:
        heads: the number of heads; it divides the features unless `head_size` is given.
        head_size, value_size: features per head of queries and keys, and of values; None divides the input's features.
        size: output features; None for those of the query.
        kv_heads: the number of heads of keys and values, each shared by a group of query heads (Ainslie et al., 2023).
        causal: mask later keys.
        window: mask keys more than this many positions away.
        scale: the scale of the products of queries and keys; None for 1/√head_size.
        dropout: the dropout rate of the attention weights.
        bias, out_bias: whether the input projections and the output projection have biases.
        key_bias: whether the key projection has a bias if `bias=True`; Whisper, BEiT and Swin V2 have none.
        rotary: a layer applied to queries and keys, such as `rotary`.
        scores: a layer applied to the scores before mask and softmax, such as `alibi` or `relative_bias(...)`.
        gate: multiply the heads' output by the sigmoid of another projection of the query, `gate_kernel` and
            `gate_bias` (Qiu et al., Gated Attention, 2025).
        empty: the heads' output for a query with every key masked: `"zeros"` or the `"mean"` of all values.
        return_weights: return `(output, weights (batch, heads, queries, keys))`.
        cache: keep the keys and values of up to this many steps in the state, so that a sequence can arrive in parts.
            Beyond that, the output is NaN.

    >>> from compose import multi_head_attention
    >>> multi_head_attention(8).out((10, 64))
    (10, 64)
    """

    heads: int
    head_size: int | None = None
    value_size: int | None = None
    size: int | None = None
    kv_heads: int | None = None
    causal: bool = False
    window: int | None = None
    scale: float | None = None
    dropout: float = 0.0
    bias: bool = True
    out_bias: bool = True
    key_bias: bool = True
    rotary: Layer | None = None
    scores: Layer = identity
    gate: bool = False
    empty: Literal["zeros", "mean"] = "zeros"
    return_weights: bool = False
    cache: int | None = None
    kernel_init: Initializer = glorot_uniform
    bias_init: Initializer = zeros

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0

    def validate(self):
        if self.heads < 1 or self.heads % self.groups:
            raise ConfigError("heads divisible by kv_heads", f"{self.heads} heads, {self.groups} kv_heads")
        if not 0 <= self.dropout < 1:
            raise ConfigError("a dropout rate from 0 to below 1", str(self.dropout))
        if self.window is not None and self.window < 0:
            raise ConfigError("a window of at least 0", str(self.window))
        if self.cache is not None and (not self.causal or self.cache < 1):
            raise ConfigError("causal=True with a cache of at least 1 step", str(self.cache))

    @property
    def groups(self) -> int:
        return self.kv_heads or self.heads

    def sizes(self, features: int) -> tuple[int, int]:
        """The features per head of keys and of values."""
        if self.head_size is None and features % self.heads:
            raise ShapeError(f"features divisible by {self.heads} heads", f"{features} features", "or pass head_size=")
        key = self.head_size or features // self.heads
        return key, self.value_size or key

    def params(self, x):
        q, k, v, _, _ = split_attention(x)
        for part in (q, k, v):
            expect_rank(part, 3, "(batch, time, features)")
            expect_float(part, "for integer ids, put embedding(...) first")
        key, value = self.sizes(q.shape[-1])
        wide = {"query": (q, self.heads * key), "key": (k, self.groups * key), "value": (v, self.groups * value)}
        if self.gate:
            wide["gate"] = (q, self.heads * value)
        for name, (part, n) in wide.items():
            yield f"{name}_kernel", Param((part.shape[-1], n), self.kernel_init)
            if self._biased(name):
                yield f"{name}_bias", Param((n,), self.bias_init, fan_in=part.shape[-1])
        n, out = self.heads * value, self.size or q.shape[-1]
        yield "out_kernel", Param((n, out), self.kernel_init)
        if self.out_bias:
            yield "out_bias", Param((out,), self.bias_init, fan_in=n)

    def state(self, x):
        if self.cache is not None:
            q, k, _, _, _ = split_attention(x)
            key, value = self.sizes(q.shape[-1])
            yield "key", Param((k.shape[0], self.cache, self.groups, key), zeros)
            yield "value", Param((k.shape[0], self.cache, self.groups, value), zeros)
            yield "index", Param((), zeros, jnp.int32)

    def forward(self, p, s, x, ctx):
        query, key, value, mask, alone = split_attention(x)
        mask = ctx.mask if mask is None and alone else mask
        q = self._heads(p, "query", query, self.heads)
        k = self._heads(p, "key", key, self.groups)
        v = self._heads(p, "value", value, self.groups)
        if self.cache is None:
            positions = None
            q, k = self._turned(p, q, None, ctx), self._turned(p, k, None, ctx)
        else:
            if not alone:
                raise ShapeError("self-attention, because this layer has a cache", shape_text(x))
            positions = s["index"] + jnp.arange(q.shape[1])
            q, k = self._turned(p, q, positions, ctx), self._turned(p, k, positions, ctx)
            k, v, s = self._remember(s, k, v)
        run = lambda scores: ctx.but(mask=None).run(
            self.scores, p, scores if positions is None else (scores, positions), "scores"
        )
        dropout = (self.dropout, ctx.rng) if ctx.train and self.dropout else None
        added = mask if is_added(mask) else None
        mask = None if added is not None else mask
        masked = added is not None or mask is not None or positions is not None or self.window is not None
        if masked or self.scores is not identity or self.return_weights or dropout is not None:
            scores = None if self.scores is identity else run
            y, weights = attend(
                q, k, v,
                scores=scores if added is None else added_to(scores, added),
                mask=allowed(mask, q, k, self.causal, self.window, positions),
                empty_rows=mask is not None and self.empty == "zeros",
                scale=self.scale,
                dropout=dropout,
            )  # fmt: skip
        else:
            y, weights = unmasked(q, k, v, self.causal, self.scale), None
        if self.cache is not None:
            y = jnp.where(s["index"] <= self.cache, y, jnp.nan)
        y = y * jax.nn.sigmoid(self._heads(p, "gate", query, self.heads)) if self.gate else y
        y = product(y.reshape(*y.shape[:2], -1), p["out_kernel"])
        y = y + p["out_bias"] if self.out_bias else y
        return ((y, weights) if self.return_weights else y), s

    def knows_mask(self, x):
        _, _, _, mask, alone = split_attention(x)
        return alone or mask is not None

    def _biased(self, name: str) -> bool:
        return self.bias and (self.key_bias or name != "key")

    def _heads(self, p, name: str, x, heads: int):
        y = product(x, p[f"{name}_kernel"])
        y = y + p[f"{name}_bias"] if self._biased(name) else y
        return y.reshape(*y.shape[:2], heads, -1)

    def _turned(self, p, x, positions, ctx):
        if self.rotary is None:
            return x
        return ctx.run(self.rotary, p, x if positions is None else (x, positions), "rotary")

    def _remember(self, s, k, v) -> tuple[Any, Any, Any]:
        """The keys and values so far, and the new state."""
        first, steps = jnp.zeros_like(s["index"]), k.shape[1]
        at = (first, s["index"], first, first)
        keys, values = (lax.dynamic_update_slice(s[n], a.astype(s[n].dtype), at) for n, a in (("key", k), ("value", v)))
        after = {"key": keys, "value": values, "index": s["index"] + steps}
        return keys.astype(k.dtype), values.astype(v.dtype), after
