# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalIterable=false
"""Attention of any kind, and what adds to its scores."""

from __future__ import annotations

import math

import keras
from keras import layers, ops


def allowed(mask, queries, keys, causal, window):
    """Where a query may attend, to broadcast to `(batch, heads, queries, keys)`; None if everywhere."""
    if mask is not None:
        rank = len(mask.shape)
        if rank == 1:
            mask = ops.arange(keys) < ops.expand_dims(mask, -1)
        mask = mask if rank == 4 else ops.expand_dims(mask, 1) if rank == 3 else mask[:, None, None]
    if not causal and window is None:
        return mask
    ahead = ops.arange(keys) - ops.expand_dims(ops.arange(queries), -1)
    near = ahead <= 0 if causal else ahead == ahead
    if window is not None:
        near = ops.logical_and(near, ops.abs(ahead) <= window)
    return near if mask is None else ops.logical_and(mask, near)


def attention_weights(scores, mask, empty_rows):
    """The softmax of scores; with `empty_rows`, a query that may attend nowhere gets zeros."""
    if mask is None:
        return ops.softmax(scores)
    weights = ops.softmax(ops.where(mask, scores, -1e30))
    return ops.where(mask, weights, 0 * weights) if empty_rows else weights


@keras.saving.register_keras_serializable()
class MultiHeadAttention(layers.Layer):
    """Multi-head attention of `(batch, time, n)`, with grouped heads, windows, rotary embedding and masks.

    `sizes` are those of queries, keys, values and outputs.
    """

    def __init__(
        self,
        heads,
        sizes,
        biases=(True, True, True, True),
        groups=None,
        causal=False,
        window=None,
        scale=None,
        dropout=0.0,
        empty="zeros",
        return_weights=False,
        rotary=None,
        scores=None,
        **options,
    ):
        super().__init__(**options)
        self.heads, self.groups, self.causal, self.window = heads, groups or heads, causal, window
        self.scale, self.empty, self.return_weights = scale, empty, return_weights
        self.rotary, self.scores = rotary, scores
        self.given = {
            "heads": heads,
            "sizes": sizes,
            "biases": biases,
            "groups": groups,
            "causal": causal,
            "window": window,
            "scale": scale,
            "dropout": dropout,
            "empty": empty,
            "return_weights": return_weights,
            "rotary": rotary,
            "scores": scores,
        }
        named = zip(("query", "key", "value", "out"), sizes, biases)
        parts = [layers.Dense(size, use_bias=bias, name=name) for name, size, bias in named]
        self.query, self.key, self.value, self.out = parts
        self.dropout = layers.Dropout(dropout)

    def get_config(self):
        return {**super().get_config(), **self.given}

    @classmethod
    def from_config(cls, config):
        parts = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("rotary", "scores")}
        return super().from_config({**config, **parts})

    def build(self, *_):
        pass

    def call(self, query, key, value, seen=None, training=False):
        q, k, v = self.query(query), self.key(key), self.value(value)
        counts = (self.heads, self.groups, self.groups)
        q, k, v = (ops.reshape(a, (-1, a.shape[1], n, a.shape[2] // n)) for a, n in zip((q, k, v), counts))
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        q, k, v = (ops.swapaxes(a, 1, 2) for a in (q, k, v))
        k, v = (ops.repeat(a, self.heads // self.groups, axis=1) for a in (k, v))
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        scores = ops.matmul(q * scale, ops.swapaxes(k, 2, 3))
        scores = scores if self.scores is None else self.scores(scores)
        near = allowed(seen, q.shape[2], k.shape[2], self.causal, self.window)
        weights = attention_weights(scores, near, seen is not None and self.empty == "zeros")
        y = ops.swapaxes(ops.matmul(self.dropout(weights, training=training), v), 1, 2)
        y = self.out(ops.reshape(y, (-1, y.shape[1], y.shape[2] * y.shape[3])))
        return (y, weights) if self.return_weights else y


@keras.saving.register_keras_serializable()
class DotAttention(layers.Layer):
    """`softmax(query @ keyᵀ) @ value`, with scores times a learned number if `scale` is true."""

    def __init__(self, scale=False, causal=False, dropout=0.0, return_weights=False, **options):
        super().__init__(**options)
        self.scaled, self.causal, self.return_weights = scale, causal, return_weights
        self.dropout = layers.Dropout(dropout)

    def build(self, query, *_):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale") if self.scaled else None

    def score(self, query, key):
        scores = ops.matmul(query, ops.swapaxes(key, 1, 2))
        return scores if self.scale is None else scores * self.scale

    def call(self, query, key, value, seen=None, training=False):
        near = allowed(seen, query.shape[1], key.shape[1], self.causal, None)
        scores = ops.expand_dims(self.score(query, key), 1)
        weights = attention_weights(scores, near, seen is not None)[:, 0]
        y = ops.matmul(self.dropout(weights, training=training), value)
        return (y, weights) if self.return_weights else y


@keras.saving.register_keras_serializable()
class AdditiveAttention(DotAttention):
    """`softmax(Σ scale · tanh(query + key)) @ value`, with features of learned weight if `scale` is true."""

    def build(self, query, *_):
        self.scale = self.add_weight(shape=(query[-1],), initializer="ones", name="scale") if self.scaled else None

    def score(self, query, key):
        scores = ops.tanh(query[:, :, None] + key[:, None])
        return ops.sum(scores if self.scale is None else scores * self.scale, axis=-1)


@keras.saving.register_keras_serializable()
class Rotary(layers.Layer):
    """Rotates pairs of features of `(batch, time, heads, n)` by an angle proportional to the position."""

    def __init__(self, base, size=None, interleaved=False, **options):
        super().__init__(**options)
        self.base, self.size, self.interleaved = base, size, interleaved

    def call(self, x):
        n = self.size or x.shape[-1]
        at = ops.cast(ops.arange(x.shape[1]), x.dtype)
        angles = at[:, None] * self.base ** (ops.cast(ops.arange(0, n, 2), x.dtype) / -n)
        sin, cos = ops.sin(angles)[:, None], ops.cos(angles)[:, None]
        first, rest = x[..., :n], x[..., n:]
        a, b = (first[..., ::2], first[..., 1::2]) if self.interleaved else ops.split(first, 2, axis=-1)
        pair = (a * cos - b * sin, b * cos + a * sin)
        shape = (-1, *first.shape[1:])
        turned = ops.reshape(ops.stack(pair, axis=-1), shape) if self.interleaved else ops.concatenate(pair, axis=-1)
        return ops.concatenate([turned, rest], axis=-1)


@keras.saving.register_keras_serializable()
class Alibi(layers.Layer):
    """`scores - slope · distance`, with one slope per head."""

    def call(self, scores):
        heads, queries, keys = scores.shape[1:]
        power = 2 ** int(math.log2(heads))
        slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
        slopes += [2 ** (-4 * (2 * i + 1) / power) for i in range(heads - power)]
        distance = ops.abs(ops.arange(keys) - ops.expand_dims(ops.arange(queries), -1))
        slopes = ops.reshape(ops.convert_to_tensor(slopes, scores.dtype), (-1, 1, 1))
        return scores - slopes * ops.cast(distance, scores.dtype)


@keras.saving.register_keras_serializable()
class RelativeBias(layers.Layer):
    """`scores + embedding[bucket of the distance]`, for each head, as in T5."""

    def __init__(self, buckets, heads, max_distance, causal, **options):
        super().__init__(**options)
        self.buckets, self.heads, self.max_distance, self.causal = buckets, heads, max_distance, causal

    def build(self, _):
        self.embedding = self.add_weight(shape=(self.buckets, self.heads), name="embedding")

    def call(self, scores):
        distance = ops.arange(scores.shape[3]) - ops.expand_dims(ops.arange(scores.shape[2]), -1)
        n, first = self.buckets, 0
        if self.causal:
            far = ops.maximum(-distance, 0)
        else:
            n //= 2
            first, far = ops.where(distance > 0, n, 0), ops.abs(distance)
        exact = n // 2
        ratio = ops.log(ops.cast(ops.maximum(far, 1), "float32") / exact) / math.log(self.max_distance / exact)
        coarse = ops.minimum(exact + ops.cast(ratio * (n - exact), "int32"), n - 1)
        rows = ops.take(self.embedding, first + ops.where(far < exact, far, coarse), axis=0)
        return scores + ops.moveaxis(rows, -1, 0)


def sinusoidal(x, base, interleaved):
    """`x +` sines and cosines of the position at decreasing frequencies."""
    n = x.shape[-1]
    table = []
    for at in range(x.shape[1]):
        angles = [at * base ** (-i / n) for i in range(0, n, 2)]
        sines, cosines = [math.sin(a) for a in angles], [math.cos(a) for a in angles]
        table.append([v for pair in zip(sines, cosines) for v in pair] if interleaved else sines + cosines)
    return x + ops.convert_to_tensor(table, x.dtype)
