"""`torch.nn` losses with a margin, for one array or for embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from compose.port.train.losses.subgradients import TINY, absolute, clamp_min, constant, positive, weighted

Values = Callable[..., jax.Array]


def hinge_embedding(m: Any) -> Values:
    """`x` for targets 1, `max(0, margin - x)` for -1."""
    return lambda x, t: jnp.where(t != 1, clamp_min(m.margin - x), 0) + jnp.where(t != -1, x, 0)


def margin_ranking(m: Any) -> Values:
    """`max(0, margin - t * (x1 - x2))`."""
    return lambda x, t: clamp_min(m.margin - t * (x[0] - x[1]))


def cosine_embedding(m: Any) -> Values:
    """`1 - cos` for targets 1, `max(0, cos - margin)` for -1."""

    def values(x, t):
        square = lambda v: (v * v).sum(-1) + TINY
        cosine = (x[0] * x[1]).sum(-1) / jnp.sqrt(square(x[0]) * square(x[1]))
        return jnp.where(t == 1, 1 - cosine, 0) + jnp.where(t == -1, clamp_min(cosine - m.margin), 0)

    return values


def triplet_margin(m: Any) -> Values:
    """`max(0, margin + |anchor - positive| - |anchor - negative|)`."""

    def distance(a, b):
        size = absolute(a - b + m.eps)
        if m.p == float("inf"):
            return size.max(-1)
        return jnp.sqrt((size * size).sum(-1)) if m.p == 2 else (size**m.p).sum(-1) ** (1 / m.p)

    def values(x, t):
        anchor, near, far = x
        apart = distance(anchor, far)
        if m.swap:
            apart = jnp.minimum(apart, distance(near, far))
        return clamp_min(m.margin + distance(anchor, near) - apart)

    return values


def multi_margin(m: Any) -> Values:
    """The sum of `max(0, margin - x_target + x)**p` over the other classes, divided by the number of classes."""
    weight = constant(m.weight)

    def values(x, t):
        own = jnp.take_along_axis(x, t[..., None], -1)
        over = positive(m.margin - own + x) ** m.p
        over = jnp.where(jnp.arange(x.shape[-1]) == t[..., None], 0, over).sum(-1) / x.shape[-1]
        return over if weight is None else over * jnp.asarray(weight, x.dtype)[t]

    return values


def multi_label_margin(m: Any) -> Values:
    """The hinge loss of each target class against each other class; targets are indices, terminated by -1."""

    def values(x, t):
        listed = jnp.cumprod(t >= 0, -1).astype(bool)
        index = jnp.where(listed, t, 0)
        others = ~(jax.nn.one_hot(index, x.shape[-1], dtype=bool) & listed[..., None]).any(-2)
        own = jnp.take_along_axis(x, index, -1)
        over = positive(1 - own[..., :, None] + x[..., None, :])
        return jnp.where(listed[..., :, None] & others[..., None, :], over, 0).sum((-1, -2)) / x.shape[-1]

    return values


def multi_label_soft_margin(m: Any) -> Values:
    """Binary cross entropy of logits, averaged over classes."""
    weight = constant(m.weight)

    def values(x, t):
        return weighted((1 - t) * x + jax.nn.softplus(-x), weight).mean(-1)

    return values


VALUES: dict[str, Callable[[Any], Values]] = {
    "HingeEmbeddingLoss": hinge_embedding,
    "MarginRankingLoss": margin_ranking,
    "CosineEmbeddingLoss": cosine_embedding,
    "TripletMarginLoss": triplet_margin,
    "MultiMarginLoss": multi_margin,
    "MultiLabelMarginLoss": multi_label_margin,
    "MultiLabelSoftMarginLoss": multi_label_soft_margin,
}
