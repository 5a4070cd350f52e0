"""Embeddings: vectors looked up by integer id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from compose.combinators.over_time import real_steps
from compose.core.errors import ConfigError, DtypeError, LayerError, ShapeError, expect_rank, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.initializers import uniform

__all__ = ["embedding", "embedding_bag"]


@layer
class embedding(Layer):
    """Looks up rows of a table: `embedding[ids]`.

    Shapes: `ids (...) -> (..., size)`; parameters `embedding (count, size)`. An id out of range raises an error if its
    value is known, and gives NaN inside `jit`; it never wraps to another row. `attend` is the output projection with
    the same table, `x @ embeddingᵀ`, for `share(embedding(V, D), lambda e: ... e.attend)`.
    Elsewhere: Keras `Embedding` with these defaults, whose `mask_zero` is `masked(...)`; torch `Embedding`, which is
    initialised with `normal(stddev=1.0)`, and whose `max_norm`, which modifies the table in lookups, is not supported;
    Flax `Embed`, which is initialised normally with stddev 1/√size.

    Args:
        padding: an id whose row is initialised to zero and gets no gradient from lookups; torch's `padding_idx`.

    >>> from compose import embedding, spec
    >>> embedding(1000, 64).out(spec(16, dtype=int))
    (1, 16, 64)
    """

    count: int
    size: int
    padding: int | None = None
    embedding_init: Initializer = uniform

    apart = True

    def validate(self):
        if self.count < 1 or self.size < 1:
            raise ConfigError("a count and a size of at least 1", f"{self.count}, {self.size}")
        if self.padding is not None and not 0 <= self.padding < self.count:
            raise ConfigError(f"a padding id between 0 and {self.count - 1}", str(self.padding))

    def params(self, x):
        expect_ids(x)
        init: Any = self.embedding_init if self.padding is None else _ZeroRow(self.embedding_init, self.padding)
        yield "embedding", Param((self.count, self.size), init)

    def forward(self, p, x, ctx):
        rows = lookup(p["embedding"], x, ctx)
        if self.padding is None:
            return rows
        return jnp.where((x == self.padding)[..., None], lax.stop_gradient(rows), rows)

    def attend(self, p, x, ctx):
        """The logits of every id: `(..., size) -> (..., count)`."""
        return x @ p["embedding"].T


@layer
class embedding_bag(Layer):
    """The sum, mean or maximum of the embeddings of a bag of ids.

    Shapes: `ids (batch, n) -> (batch, size)`; the input may be `(ids, weights)` for `mode="sum"`, and a boolean mask
    `(batch, n)` or lengths `(batch,)` may come last. An empty bag gives zeros. Parameters: `embedding (count, size)`.
    Elsewhere: torch `EmbeddingBag`, which also takes flattened ids with offsets: pad these instead.

    Args:
        padding: an id that is ignored.
    """

    count: int
    size: int
    mode: Literal["sum", "mean", "max"] = "mean"
    padding: int | None = None
    embedding_init: Initializer = uniform

    def params(self, x):
        ids, weights, _ = self._parts(x)
        expect_rank(ids, 2, "of ids (batch, n)")
        expect_ids(ids)
        if weights is not None and weights.ndim == 1:
            raise DtypeError("lengths that are integers", f"{weights.dtype}", "use lengths.astype('int32')")
        if weights is not None and (self.mode != "sum" or weights.shape != ids.shape):
            raise ShapeError(f'mode="sum" with weights of shape {ids.shape}', f"{self.mode}, {shape_text(weights)}")
        init: Any = self.embedding_init if self.padding is None else _ZeroRow(self.embedding_init, self.padding)
        yield "embedding", Param((self.count, self.size), init)

    def forward(self, p, x, ctx):
        ids, weights, lengths_or_mask = self._parts(x)
        real = None if lengths_or_mask is None else real_steps(lengths_or_mask, ids.shape)
        rows = lookup(p["embedding"], ids, ctx)
        if self.padding is not None:
            real = (ids != self.padding) if real is None else real & (ids != self.padding)
        rows = rows if weights is None else rows * weights[..., None]
        if self.mode == "max":
            if real is None:
                return rows.max(1)
            best = jnp.where(real[..., None], rows, -jnp.inf).max(1)
            return jnp.where(real.any(1)[:, None], best, 0)
        total = (rows if real is None else jnp.where(real[..., None], rows, 0)).sum(1)
        if self.mode == "sum":
            return total
        n = ids.shape[1] if real is None else jnp.maximum(real.sum(1), 1)[:, None].astype(rows.dtype)
        return total / n

    def _parts(self, x) -> tuple[Any, Any, Any]:
        ids, *rest = x if isinstance(x, tuple) else (x,)
        weights = real = None
        for part in rest:
            if jnp.issubdtype(part.dtype, jnp.inexact):
                weights = part
            else:
                real = part
        return ids, weights, real


@dataclass(frozen=True)
class _ZeroRow:
    """Initialises a table with one row set to zero."""

    init: Any
    row: int

    def draw(self, key, shape, dtype, fans):
        table = self.init.draw(key, shape, dtype, fans)
        return jnp.where(jnp.arange(shape[0])[:, None] == self.row, 0, table)


def lookup(table, ids, ctx):
    """Rows of a table. An id out of range raises an error if its value is known, and gives NaN otherwise."""
    if not isinstance(ids, Tracer) and ids.size:
        known = np.asarray(ids)  # also inside jit, where ids.min() would be traced
        low, high = int(known.min()), int(known.max())
        if low < 0 or high >= table.shape[0]:
            outside = LayerError(
                f"ids between 0 and {table.shape[0] - 1}, the rows of its table", f"ids between {low} and {high}"
            )
            outside.path = ctx.path
            raise outside
    return jnp.asarray(table).at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


def expect_ids(x) -> None:
    """Raise unless `x` is one array of integers."""
    if not hasattr(x, "dtype"):
        raise ShapeError("one array of ids", shape_text(x))
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise DtypeError("integer ids", f"{x.dtype}", "use ids.astype('int32') if they are integral")
