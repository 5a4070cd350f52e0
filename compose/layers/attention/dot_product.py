"""Dot-product attention: masks, weights and the weighted sum, shared by all attention layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import DtypeError, ShapeError, shape_text
from compose.core.function import function
from compose.core.platform import on_cpu
from compose.layers.attention.cudnn import by_cudnn

__all__ = ["scaled_dot_product_attention"]

BLOCKS = 4  # of queries in causal attention; more save little work, and compile longer
FEW_STEPS = 64


def attend(
    q, k, v, *, scores: Callable | None = None, mask=None, empty_rows: bool = False,
    scale: float | None = None, dropout: tuple[float, Callable] | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """Attention of `q (batch, queries, heads, n)` to `k`, `v (batch, keys, groups, ...)`, and its weights.

    `groups` divides `heads`; the rest is as in `weigh`. The products are computed with heads before time, which takes a
    third of the time on the CPU.
    """
    batch, queries, heads, n = q.shape
    keys, groups = k.shape[1:3]
    q, k = jnp.swapaxes(q * (n**-0.5 if scale is None else scale), 1, 2), jnp.swapaxes(k, 1, 2)
    s = jnp.einsum("bgqd,bgkd->bgqk", q.reshape(batch, groups, -1, n), k).reshape(batch, heads, queries, keys)
    s = s if scores is None else scores(s)
    return weigh(s, v, mask=mask, empty_rows=empty_rows, dropout=dropout)


def unmasked(q, k, v, causal: bool, scale: float | None):
    """`attend` without a mask or weights, in the fastest form that there is for the platform."""
    written_out = lambda q, k, v: attend(q, k, v, mask=allowed(None, q, k, causal, None), scale=scale)[0]
    in_blocks = lambda q, k, v: _causal_in_blocks(q, k, v, scale)
    return by_cudnn(in_blocks if causal and _pays(q, k) else written_out, q, k, v, causal, scale)


def _pays(q, k) -> bool:
    """Whether blocks are faster. On a CPU a training step takes half the time; the others gain little."""
    queries, keys = q.shape[1], k.shape[1]
    return on_cpu() and isinstance(keys, int) and queries == keys >= FEW_STEPS


def _causal_in_blocks(q, k, v, scale: float | None):
    """Causal attention of a block of queries at a time to the keys up to its end: of the rest, nothing is computed."""
    size = -(-q.shape[1] // BLOCKS)
    parts = []
    for i in range(0, q.shape[1], size):
        here, keys, values = q[:, i : i + size], k[:, : i + size], v[:, : i + size]
        mask = allowed(None, here, keys, True, None, i + jnp.arange(here.shape[1]))
        parts.append(attend(here, keys, values, mask=mask, scale=scale)[0])
    return jnp.concatenate(parts, 1)


def weigh(
    s, v, *, mask=None, empty_rows: bool = False, dropout: tuple[float, Callable] | None = None
) -> tuple[Any, Any]:
    """The sum of `v (batch, keys, groups, n)` weighted by the softmax of scores `(batch, heads, queries, keys)`, and
    the weights.

    The softmax is computed in float32 or wider. With `empty_rows`, a query with every key masked gets zeros.
    """
    s = s.astype(jnp.promote_types(s.dtype, jnp.float32))
    if mask is not None:
        s = jnp.where(mask, s, jnp.finfo(s.dtype).min)
    w = jax.nn.softmax(s)
    if mask is not None and empty_rows:
        w = jnp.where(mask, w, 0)
    w = w.astype(v.dtype)
    used = w
    if dropout is not None:
        rate, rng = dropout
        used = jnp.where(jax.random.bernoulli(rng(), 1 - rate, w.shape), w / (1 - rate), 0)
    batch, heads, queries, keys = w.shape
    used = used.reshape(batch, v.shape[2], -1, keys)
    y = jnp.einsum("bgqk,bgkd->bgqd", used, jnp.swapaxes(v, 1, 2)).reshape(batch, heads, queries, -1)
    return jnp.swapaxes(y, 1, 2), w


def allowed(mask, q, k, causal: bool, window: int | None, positions=None) -> Any:
    """The attention mask, which broadcasts to `(batch, heads, queries, keys)`, or None if nothing is masked.

    `positions` are the positions of the queries among the keys; None counts both from 0.
    """
    queries, keys = q.shape[1], k.shape[1]
    mask = None if mask is None else _four_axes(mask, q.shape[0], q.shape[2], queries, keys)
    if not causal and window is None:
        return mask
    at = jnp.arange(queries) if positions is None else positions
    ahead = jnp.arange(keys) - at[:, None]
    near = ahead <= 0 if causal else None
    if window is not None:
        close = ahead >= -window if causal else jnp.abs(ahead) <= window
        near = close if near is None else near & close
    return near if mask is None else mask & near


def _four_axes(mask, batch: int, heads: int, queries: int, keys: int) -> Any:
    if jnp.issubdtype(mask.dtype, jnp.integer):
        if mask.shape != (batch,):
            raise ShapeError(f"one length for each of the {batch} examples", shape_text(mask))
        mask = jnp.arange(keys) < mask[:, None]
    if mask.dtype != jnp.bool_:
        raise DtypeError("a boolean mask, True where a query may attend", f"{mask.dtype}", "use scores= to add numbers")
    wanted = ((batch,), (heads,), (queries,), (keys,))
    axes = {2: (0, 3), 3: (0, 2, 3), 4: (0, 1, 2, 3)}.get(mask.ndim, ())
    fits = axes and all(n in (1, *wanted[a]) for n, a in zip(mask.shape, axes))
    if not fits:
        raise ShapeError(
            f"a mask (batch, keys) = {(batch, keys)}, (batch, queries, keys) = {(batch, queries, keys)} "
            f"or (batch, heads, queries, keys) = {(batch, heads, queries, keys)}, 1 to broadcast",
            str(tuple(mask.shape)),
        )
    return jnp.expand_dims(mask, tuple(a for a in (1, 2) if a not in axes))


def is_added(mask) -> bool:
    """Whether a mask is numbers that are added to the scores."""
    return mask is not None and jnp.issubdtype(mask.dtype, jnp.inexact)


def added_to(scores: Callable | None, numbers) -> Callable:
    """The scores with numbers added, after what else is done to them. Raises `ShapeError` for other shapes."""

    def run(s):
        s = s if scores is None else scores(s)
        if len(numbers.shape) != 4 or any(n not in (1, m) for n, m in zip(numbers.shape, s.shape)):
            raise ShapeError(f"numbers to add to scores of {shape_text(s)}, 1 to broadcast", shape_text(numbers))
        return s + numbers

    return run


def split_attention(x) -> tuple[Any, Any, Any, Any, bool]:
    """Query, key, value, mask or None, and whether query, key and value are the same array."""
    parts = list(x) if isinstance(x, tuple) else [x]
    last = not jnp.issubdtype(parts[-1].dtype, jnp.inexact) or len(parts[-1].shape) == 4
    mask = parts.pop() if len(parts) > 1 and last else None
    if not 1 <= len(parts) <= 3:
        raise ShapeError("x, (x, memory) or (query, key, value), optionally with a mask", shape_text(x))
    q, k, v = (parts * 3)[:3] if len(parts) != 2 else (parts[0], parts[1], parts[1])
    if not q.shape[0] == k.shape[0] == v.shape[0] or k.shape[:2] != v.shape[:2]:
        raise ShapeError("equal batch sizes, and as many values as keys", shape_text((q, k, v)))
    return q, k, v, mask, len(parts) == 1


@function
def scaled_dot_product_attention(q, k, v, mask=None, causal: bool = False, scale: float | None = None):
    """`softmax(q @ kᵀ · scale) @ v`, with scale 1/√n by default, for `q, k, v (batch, time, heads, n)`.

    A mask, or numbers to add to the scores, may come fourth, as in `multi_head_attention`. Shapes:
    `(batch, queries, heads, n), (batch, keys, heads, n), (batch, keys, heads, m) -> (batch, queries, heads, m)`.
    Elsewhere: torch `functional.scaled_dot_product_attention` has the heads before the time; Flax
    `dot_product_attention` and that of `jax.nn` have this layout.
    """

    if mask is None:
        return unmasked(q, k, v, causal, scale)
    if is_added(mask):
        return attend(q, k, v, scores=added_to(None, mask), mask=allowed(None, q, k, causal, None), scale=scale)[0]
    return attend(q, k, v, mask=allowed(mask, q, k, causal, None), empty_rows=True, scale=scale)[0]
