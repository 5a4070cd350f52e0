"""A gradient transformation from an update rule for a single array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError


class RuleState(NamedTuple):
    """The number of updates, and a tree like the parameters for each slot of the rule."""

    updates: jax.Array
    slots: tuple[optax.Params, ...]


def rule(step: Callable, *slots: float | Callable) -> optax.GradientTransformation:
    """The transformation that applies `step` to each array.

    Args:
        step: `step(gradient, parameter, t, *slots) -> (update, *slots)`, where t counts 1, 2, ...
        slots: the initial value of each slot: a number, or a function of the parameter.
    """

    def init(params):
        start = lambda slot: jax.tree.map(slot if callable(slot) else lambda p: jnp.full_like(p, slot), params)
        return RuleState(jnp.zeros((), jnp.int32), tuple(start(slot) for slot in slots))

    def update(updates, state, params=None):
        if params is None:
            raise ConfigError("the parameters as third argument", hint="transformation.update(grads, state, params)")
        t = state.updates + 1
        tree = jax.tree.structure(updates)
        columns = [tree.flatten_up_to(part) for part in (updates, params, *state.slots)]
        rows = [step(g, p, t, *kept) for g, p, *kept in zip(*columns)]
        new, *kept = (tree.unflatten([row[i] for row in rows]) for i in range(1 + len(slots)))
        return new, RuleState(t, tuple(kept))

    return optax.GradientTransformation(init, update)


def debias(beta: float, t):
    """`1 - beta**t`, without cancellation in float32."""
    return -jnp.expm1(t * math.log(beta)) if beta > 0 else 1.0


def rate_at(learning_rate: optax.ScalarOrSchedule, t, like):
    """The learning rate of update t, counted from 1."""
    value = learning_rate(t - 1) if callable(learning_rate) else learning_rate
    return jnp.asarray(value, like.dtype)
