"""Dynamic loss scaling for float16, whose smallest normal number is 6e-5: the loss is multiplied by a large factor, so
that gradients do not underflow, and gradients are divided by it.

Micikevicius et al., Mixed Precision Training, 2017. A step whose gradients overflow is skipped and the factor halved;
after 2000 steps without overflow it is doubled. Elsewhere: torch `GradScaler`, Keras `LossScaleOptimizer`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

FIRST, LEAST, MOST = 2.0**15, 1.0, 2.0**24
PATIENCE = 2000  # steps without overflow after which the factor is doubled


class LossScale(NamedTuple):
    """The factor, and the number of steps without overflow since it last changed."""

    factor: Any
    steps: Any


def first_scale(dtype: Any) -> LossScale | None:
    """The scale of a training that computes in `dtype`; None except for float16."""
    return LossScale(jnp.float32(FIRST), jnp.int32(0)) if dtype == jnp.float16 else None


def finite(tree: Any) -> Any:
    """Whether every number in a tree is finite."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def chosen(ok: Any, new: Any, old: Any) -> Any:
    """The tree `new` if `ok`, else `old`."""
    return jax.tree.map(lambda a, b: jnp.where(ok, a, b), new, old)


def adjusted(scale: LossScale, ok: Any) -> LossScale:
    """The scale after a step whose gradients were finite or not."""
    steps = jnp.where(ok, scale.steps + 1, 0)
    grown = jnp.where(steps == PATIENCE, jnp.minimum(scale.factor * 2, MOST), scale.factor)
    factor = jnp.where(ok, grown, jnp.maximum(scale.factor / 2, LEAST))
    return LossScale(factor, jnp.where(steps == PATIENCE, 0, steps))
