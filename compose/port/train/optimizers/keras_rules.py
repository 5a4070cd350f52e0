"""Update rules of `keras.optimizers` without an exact equivalent in optax."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from compose.port.train.optimizers.rule import debias, rate_at, rule

__all__ = ["adafactor", "adam", "adamax", "ftrl", "lamb", "schedule_free_adamw"]


def adam(b1: float, b2: float, eps: float, amsgrad: bool = False) -> optax.GradientTransformation:
    """Keras's and TF1's Adam: eps is added before bias correction (optax, torch: after)."""

    def step(g, p, t, m, v, *top):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        top = [jnp.maximum(before, v) for before in top]
        root = jnp.sqrt(top[0] if top else v)
        return jnp.sqrt(debias(b2, t)) / debias(b1, t) * m / (root + eps), m, v, *top

    return rule(step, *(0.0,) * (3 if amsgrad else 2))


def adamax(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Adamax with eps added to the denominator (optax, torch: to the gradient)."""

    def step(g, p, t, m, top):
        m, top = b1 * m + (1 - b1) * g, jnp.maximum(b2 * top, jnp.abs(g))
        return m / debias(b1, t) / (top + eps), m, top

    return rule(step, 0.0, 0.0)


def lamb(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """LAMB, where decay is applied to the parameter before its norm is taken (optax: decay is part of the update)."""

    def step(g, p, t, m, v):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        direction = m / debias(b1, t) / (jnp.sqrt(v / debias(b2, t)) + eps)
        sizes = jnp.sqrt(jnp.square(p).sum()), jnp.sqrt(jnp.square(direction).sum())
        usable = (sizes[0] > 0) & (sizes[1] > 0)
        return jnp.where(usable, sizes[0] / jnp.where(usable, sizes[1], 1), 1) * direction, m, v

    return rule(step, 0.0, 0.0)


def ftrl(
    rate: optax.ScalarOrSchedule,
    power: float,
    start: float,
    l1: float,
    l2: float,
    shrinkage: float = 0.0,
    beta: float = 0.0,
) -> optax.GradientTransformation:
    """Follow the regularised leader (McMahan et al., Ad Click Prediction, 2013); includes the learning rate."""

    def step(g, p, t, total, linear):
        lr = rate_at(rate, t, p)
        after = total + g * g
        sigma = (after**-power - total**-power) / lr
        linear = linear + g + 2 * shrinkage * p - sigma * p
        quadratic = after**-power / lr + 2 * l2 + beta / lr
        return (jnp.clip(linear, -l1, l1) - linear) / quadratic - p, after, linear

    return rule(step, start, 0.0)


def adafactor(
    rate: optax.ScalarOrSchedule,
    beta_2_decay: float,
    eps: tuple[float, float],
    threshold: float,
) -> optax.GradientTransformation:
    """Adafactor over the last two axes (Shazeer & Stern, 2018); includes the learning rate."""
    rms = lambda x: jnp.sqrt(jnp.square(x).mean())

    def step(g, p, t, row, column):
        n = t.astype(p.dtype)
        keep, square = 1 - n**beta_2_decay, g * g + eps[0]
        if p.ndim > 1:
            row = keep * row + (1 - keep) * square.mean(-1)
            column = keep * column + (1 - keep) * square.mean(-2)
            variance = (row / row.mean(-1, keepdims=True))[..., None] * column[..., None, :]
        else:
            variance = row = keep * row + (1 - keep) * square
        direction = g / jnp.sqrt(variance)
        size = jnp.maximum(eps[1], rms(p)) * jnp.minimum(rate_at(rate, t, p), 1 / jnp.sqrt(n))
        return -size * direction / jnp.maximum(1, rms(direction) / threshold), row, column

    without = lambda axis: lambda p: jnp.zeros_like(p.mean(axis) if p.ndim > 1 else p)
    return rule(step, without(-1), without(-2))


def schedule_free_adamw(
    rate: optax.ScalarOrSchedule, b1: float, b2: float, eps: float, warmup: int
) -> optax.GradientTransformation:
    """Schedule-free AdamW (Defazio et al., The Road Less Scheduled, 2024); includes the learning rate."""

    def step(g, p, t, z, v):
        n = t.astype(p.dtype)
        lr = rate_at(rate, t, p) * (jnp.minimum(n / warmup, 1) if warmup else 1)
        mean = (p - (1 - b1) * z) / b1
        v = b2 * v + (1 - b2) * g * g
        z = z - lr * g / (jnp.sqrt(v / debias(b2, n)) + eps)
        mean = (1 - 1 / n) * mean + z / n
        return (1 - b1) * z + b1 * mean - p, z, v

    return rule(step, lambda p: p, 0.0)
