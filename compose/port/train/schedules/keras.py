"""`keras.optimizers.schedules` in jax.numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError


def keras_schedule(source: Any, kind: str) -> optax.Schedule:
    """The schedule as a function of the step."""
    if kind not in SCHEDULES:
        raise ConfigError("a schedule of keras.optimizers.schedules", kind, "write it as a function of the step")
    return SCHEDULES[kind](source)


def _exponential(s) -> optax.Schedule:
    start, steps, factor = s.initial_learning_rate, s.decay_steps, s.decay_rate
    return lambda step: start * factor ** _portion(step, steps, s.staircase)


def _inverse_time(s) -> optax.Schedule:
    start, steps, factor = s.initial_learning_rate, s.decay_steps, s.decay_rate
    return lambda step: start / (1 + factor * _portion(step, steps, s.staircase))


def _portion(step, steps, staircase: bool):
    portion = step / float(steps)  # dividing integers gives float32, even with float64 enabled
    return jnp.floor(portion) if staircase else portion


def _piecewise(s) -> optax.Schedule:
    """A boundary step belongs to the interval before it; in optax, to the one after it."""
    boundaries, values = jnp.asarray(s.boundaries), jnp.asarray(s.values)
    return lambda step: values[jnp.searchsorted(boundaries, step, side="left")]


def _polynomial(s) -> optax.Schedule:
    start, end, steps = s.initial_learning_rate, s.end_learning_rate, float(s.decay_steps)

    def rate(step):
        length = steps * jnp.maximum(1, jnp.ceil(step / steps)) if s.cycle else steps
        return (start - end) * (1 - jnp.minimum(step, length) / length) ** s.power + end

    return rate


def _cosine(s) -> optax.Schedule:
    start, warm = s.initial_learning_rate, s.warmup_steps if s.warmup_target is not None else 0
    top = start if s.warmup_target is None else s.warmup_target

    def rate(step):
        portion = jnp.clip((step - warm) / float(s.decay_steps), 0, 1)
        fall = top * ((1 - s.alpha) * 0.5 * (1 + jnp.cos(math.pi * portion)) + s.alpha)
        return jnp.where(step < warm, start + (top - start) * step / max(warm, 1.0), fall)

    return rate


def _cosine_restarts(s) -> optax.Schedule:
    longer, lower = s._t_mul, s._m_mul

    def rate(step):
        portion = step / float(s.first_decay_steps)
        if longer == 1.0:
            restarts = jnp.floor(portion)
            portion = portion - restarts
        else:
            restarts = jnp.floor(jnp.log(1 - portion * (1 - longer)) / math.log(longer))
            portion = (portion - (1 - longer**restarts) / (1 - longer)) / longer**restarts
        fall = 0.5 * lower**restarts * (1 + jnp.cos(math.pi * portion))
        return s.initial_learning_rate * ((1 - s.alpha) * fall + s.alpha)

    return rate


SCHEDULES: dict[str, Callable[[Any], optax.Schedule]] = {
    "ExponentialDecay": _exponential,
    "InverseTimeDecay": _inverse_time,
    "PiecewiseConstantDecay": _piecewise,
    "PolynomialDecay": _polynomial,
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _cosine_restarts,
}
