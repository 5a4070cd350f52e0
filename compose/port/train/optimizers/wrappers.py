"""Keras's wrappers around a rule: weight decay and gradient accumulation before it, parameter averaging after it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from compose.port.train.optimizers.rule import rate_at


class DecayState(NamedTuple):
    """The number of updates, and the state of the inner rule."""

    updates: jax.Array
    inner: optax.OptState


def decay_first(
    inner: optax.GradientTransformation, rate: optax.ScalarOrSchedule, weight_decay: float, mask: Any = None
) -> optax.GradientTransformation:
    """Multiplies parameters by `1 - rate * weight_decay` before the rule is applied to them.

    Args:
        mask: a tree of bools like the parameters, or a function of them, True for parameters that decay.
    """

    def init(params):
        return DecayState(jnp.zeros((), jnp.int32), inner.init(params))

    def update(updates, state, params=None):
        t = state.updates + 1
        chosen = mask(params) if callable(mask) else mask
        chosen = jax.tree.map(lambda p: True, params) if chosen is None else chosen
        loss = jax.tree.map(lambda p, on: p * weight_decay * rate_at(rate, t, p) * on, params, chosen)
        updates, kept = inner.update(updates, state.inner, optax.tree.sub(params, loss))
        return optax.tree.sub(updates, loss), DecayState(t, kept)

    return optax.GradientTransformation(init, update)


class AverageState(NamedTuple):
    """The number of batches, and the moving average of the parameters."""

    batches: jax.Array
    average: optax.Params


def average_params(momentum: float, overwrite_every: int | None, every: int) -> optax.GradientTransformation:
    """Keras `use_ema`: keeps a moving average in the state, and overwrites the parameters with it periodically.

    It averages after each batch and counts the previous updates of `every` batches each. At the end of training, Keras
    uses the average (`finalize_variable_values`); here it is in the state's `average`.
    """

    def init(params):
        return AverageState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))

    def update(updates, state, params=None):
        after = optax.tree.add(params, updates)
        done = state.batches // every
        keep = jnp.where(done == 0, 0.0, momentum)
        average = jax.tree.map(lambda a, p: (keep * a + (1 - keep) * p).astype(a.dtype), state.average, after)
        if overwrite_every:
            now = (done + 1) % overwrite_every == 0
            updates = jax.tree.map(lambda u, a, p: jnp.where(now, a - p, u), updates, average, params)
        return updates, AverageState(state.batches + 1, average)

    return optax.GradientTransformation(init, update)


class GatherState(NamedTuple):
    """The number of batches, the sum of gradients since the last update, and the state of the inner rule."""

    batches: jax.Array
    total: optax.Updates
    inner: optax.OptState


def gather_gradients(inner: optax.GradientTransformation, every: int) -> optax.GradientTransformation:
    """One update per `every` batches, with their mean gradient (`optax.MultiSteps` always sums in float32)."""

    def init(params):
        return GatherState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params), inner.init(params))

    def update(updates, state, params=None):
        batches = state.batches + 1
        total = optax.tree.add(state.total, updates)

        def due():
            new, kept = inner.update(jax.tree.map(lambda g: g / every, total), state.inner, params)
            return new, jax.tree.map(jnp.zeros_like, total), kept

        wait = lambda: (jax.tree.map(jnp.zeros_like, total), total, state.inner)
        new, total, kept = jax.lax.cond(batches % every == 0, due, wait)
        return new, GatherState(batches, total, kept)

    return optax.GradientTransformation(init, update)
