"""`keras.losses` of overlap and similarity: Dice, Tversky, circle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def dice(eps, axis=None):
    """`1 - 2 |x t| / (|x| + |t|)`."""

    def values(x, t):
        t = t.astype(x.dtype)
        return 1 - 2 * (t * x).sum(axis) / (t.sum(axis) + x.sum(axis) + eps)

    return values


def tversky(eps, alpha=0.5, beta=0.5, axis=None):
    """The Dice loss with separate weights for false negatives (`alpha`) and false positives (`beta`)."""

    def values(x, t):
        t = t.astype(x.dtype)
        both, missed, false = ((a * b).sum(axis) for a, b in ((t, x), (t, 1 - x), (1 - t, x)))
        return 1 - both / (both + alpha * missed + beta * false + eps)

    return values


def circle(eps, gamma=80.0, margin=0.4, remove_diagonal=True):
    """Circle loss of normalised embeddings and class indices (Sun et al., 2020). Zero losses are masked."""

    def values(x, t):
        distance = jnp.maximum(1 - x @ x.T, 0)
        same = t.reshape(-1, 1) == t.reshape(1, -1)
        other = ~same
        same = same & ~jnp.eye(len(x), dtype=bool) if remove_diagonal else same
        near = -gamma * jnp.maximum((margin + distance) * same, 0) * (margin - distance)
        far = gamma * jnp.maximum((1 + margin - distance) * other, 0) * (1 - margin - distance)
        over = lambda logits, where: jax.nn.logsumexp(jnp.where(where, logits, -jnp.inf), axis=1)
        value = jax.nn.softplus(over(near, same) + over(far, other))
        return value, value > 0

    return values


VALUES: dict[str, Callable[..., Callable[..., Any]]] = {"dice": dice, "tversky": tversky, "circle": circle}
