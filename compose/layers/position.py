"""Positional encodings."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from compose.core.errors import ConfigError, ShapeError, expect_float, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, StatefulLayer, layer, unlisted
from compose.core.param import Param
from compose.layers.initializers import normal, zeros
from compose.layers.slicing import take_slice

__all__ = ["alibi", "learned_positions", "relative_bias", "rotary", "sinusoidal_positions"]


@unlisted
class Positions(StatefulLayer):
    """Adds a positional encoding to a sequence. With `cache`, the state counts the steps of earlier calls."""

    def state(self, x):
        if self.cache is not None:  # pyright: ignore[reportAttributeAccessIssue]
            yield "index", Param((), zeros, jnp.int32)

    def forward(self, p, s, x, ctx):
        at, after = jnp.arange(x.shape[1]), s
        if s:
            at, after = at + s["index"], {"index": s["index"] + x.shape[1]}
        return x + self.rows(p, at, x).astype(x.dtype), after

    def rows(self, p, at, x) -> Any:
        raise NotImplementedError


@layer
class learned_positions(Positions):
    """`x + embedding[position]`, learned (Gehring et al., 2017), as in BERT, GPT-2 and ViT.

    Shapes: `(batch, time, n)`, unchanged, with time at most `count`; parameters `embedding (count, n)`.

    Args:
        count: the number of positions.
        cache: continue positions from call to call, see `decoding`.
    """

    count: int
    embedding_init: Initializer = normal(stddev=0.02)
    cache: int | None = None

    def params(self, x):
        _expect_sequence(x)
        if x.shape[1] > self.count:
            raise ShapeError(f"a sequence of at most {self.count} steps", f"{x.shape[1]} steps")
        yield "embedding", Param((self.count, x.shape[-1]), self.embedding_init)

    def rows(self, p, at, x):
        if self.cache is None:
            return p["embedding"][: x.shape[1]]
        return jnp.asarray(p["embedding"]).at[at].get(mode="fill", fill_value=jnp.nan)


@layer
class sinusoidal_positions(Positions):
    """`x +` sines and cosines of the position at decreasing frequencies (Vaswani et al., 2017).

    Shapes: `(batch, time, n)`, unchanged, n even. Sine and cosine of a frequency are adjacent, as in the paper; with
    `interleaved=False` all sines come first, as in Tensor2Tensor and fairseq.
    """

    base: float = 10000.0
    interleaved: bool = True
    cache: int | None = None

    def params(self, x):
        _expect_sequence(x)
        if x.shape[-1] % 2:
            raise ShapeError("an even number of features", shape_text(x))
        return {}

    def rows(self, p, at, x):
        angles = _angles(at, x.shape[-1], self.base, x.dtype)
        both = jnp.sin(angles), jnp.cos(angles)
        if not self.interleaved:
            return jnp.concatenate(both, axis=-1)
        return jnp.stack(both, axis=-1).reshape(x.shape[1:])


@layer
class rotary(Layer):
    """Rotary embedding: rotates pairs of features by an angle proportional to the position (Su et al., RoFormer, 2021).

    For queries and keys: `multi_head_attention(8, rotary=rotary)`. Shapes: `(batch, time, heads, n)`, unchanged, n
    even; the input may be `(x, positions)` with integer positions `(time,)`.

    Args:
        base: the base of the wavelengths.
        size: the number of leading features to rotate; None for all.
        interleaved: whether pairs are adjacent features, as in RoFormer and GPT-J, or the i-th features of both
            halves, as in GPT-NeoX, Llama and Keras.
    """

    base: float = 10000.0
    size: int | None = None
    interleaved: bool = False

    def forward(self, p, x, ctx):
        x, at = x if isinstance(x, tuple) else (x, jnp.arange(x.shape[1]))
        expect_rank(x, 4, "(batch, time, heads, features)")
        n = self.size or x.shape[-1]
        if n % 2 or n > x.shape[-1]:
            raise ShapeError(f"an even number of features to rotate, at most {x.shape[-1]}", str(n))
        angles = _angles(at, n, self.base, x.dtype)[:, None]
        sin, cos = jnp.sin(angles).astype(x.dtype), jnp.cos(angles).astype(x.dtype)
        first, rest = take_slice(x, ..., slice(n)), take_slice(x, ..., slice(n, None))
        halves = lambda: (take_slice(first, ..., slice(i, None, 2)) for i in (0, 1))
        a, b = halves() if self.interleaved else jnp.split(first, 2, axis=-1)
        pair = a * cos - b * sin, b * cos + a * sin
        rotated = jnp.stack(pair, -1).reshape(first.shape) if self.interleaved else jnp.concatenate(pair, -1)
        return rotated if n == x.shape[-1] else jnp.concatenate((rotated, rest), -1)


@layer
class alibi(Layer):
    """`scores - slope · distance`, with one slope per head (Press et al., Train Short, Test Long, 2021).

    For `multi_head_attention(8, causal=True, scores=alibi)`. Shapes: `(batch, heads, queries, keys)`, unchanged. The
    slopes are 2^(-8 i / heads). If the number of heads is not a power of two, they are the slopes of the next lower
    power, followed by every second slope of the next higher, as in the paper's code.
    """

    def forward(self, p, x, ctx):
        scores, distance = _distances(x)
        slopes = jnp.asarray(_slopes(scores.shape[1]), scores.dtype)
        return scores - slopes[:, None, None] * jnp.abs(distance)


@layer
class relative_bias(Layer):
    """`scores + embedding[bucket of the distance]`, for each head (Raffel et al., T5, 2019).

    For `multi_head_attention(8, scores=relative_bias())`; T5 also uses `scale=1.0`. Shapes:
    `(batch, heads, queries, keys)`, unchanged; parameters `embedding (buckets, heads)`. Half of the buckets hold one
    distance each; the others grow logarithmically up to `max_distance`.

    Args:
        causal: use all buckets for earlier keys; otherwise half of them are for later keys.
    """

    buckets: int = 32
    max_distance: int = 128
    causal: bool = False
    embedding_init: Initializer = normal(stddev=0.02)

    def validate(self):
        if self.buckets < 4 or self.max_distance <= self.buckets:
            raise ConfigError("at least 4 buckets and a larger max_distance", f"{self.buckets}, {self.max_distance}")

    def params(self, x):
        scores = x[0] if isinstance(x, tuple) else x
        expect_rank(scores, 4, "of scores (batch, heads, queries, keys)")
        yield "embedding", Param((self.buckets, scores.shape[1]), self.embedding_init)

    def forward(self, p, x, ctx):
        scores, distance = _distances(x)
        bias = jnp.asarray(p["embedding"])[self._bucket(distance)]
        return scores + jnp.moveaxis(bias, -1, 0)

    def _bucket(self, distance):
        """The bucket of key position minus query position."""
        n, first = self.buckets, 0
        if self.causal:
            far = jnp.maximum(-distance, 0)
        else:
            n //= 2
            first, far = jnp.where(distance > 0, n, 0), jnp.abs(distance)
        exact = n // 2
        ratio = jnp.log(jnp.maximum(far, 1) / exact) / math.log(self.max_distance / exact)
        coarse = jnp.minimum(exact + (ratio * (n - exact)).astype(jnp.int32), n - 1)
        return first + jnp.where(far < exact, far, coarse)


def _expect_sequence(x) -> None:
    expect_rank(x, 3, "(batch, time, features)")
    expect_float(x, "for integer ids, put embedding(...) first")


def _angles(at, size: int, base: float, dtype):
    """The angles `(time, size / 2)`, in float32 or wider: the sine of a large angle needs the precision."""
    wide = jnp.promote_types(dtype, jnp.float32)
    return at[:, None].astype(wide) * base ** (jnp.arange(0, size, 2, dtype=wide) / -size)


def _distances(x) -> tuple[Any, Any]:
    """The scores, and the position of each key minus that of each query."""
    scores, at = x if isinstance(x, tuple) else (x, None)
    expect_rank(scores, 4, "of scores (batch, heads, queries, keys)")
    queries, keys = scores.shape[2:]
    at = jnp.arange(queries) if at is None else at
    return scores, jnp.arange(keys) - at[:, None]


def _slopes(heads: int) -> list[float]:
    power = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    return slopes + [2 ** (-4 * (2 * i + 1) / power) for i in range(heads - power)]
