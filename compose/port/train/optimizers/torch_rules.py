"""Update rules of `torch.optim` without an exact equivalent in optax; they exclude the learning rate unless noted."""

from __future__ import annotations

import math

import jax.numpy as jnp
import optax
from jax import lax

from compose.core.errors import ConfigError
from compose.port.train.optimizers.rule import debias, rate_at, rule

__all__ = ["adafactor", "adagrad", "adam", "asgd", "dampened_trace", "nadam", "radam", "rprop"]


def dampened_trace(
    momentum: optax.ScalarOrSchedule, dampening: float = 0.0, nesterov: bool = False
) -> optax.GradientTransformation:
    """Momentum where the first gradient has weight 1 and later ones `1 - dampening`."""

    def step(g, p, t, trace):
        keep = rate_at(momentum, t, g)
        trace = jnp.where(t == 1, g, keep * trace + (1 - dampening) * g)
        return g + keep * trace if nesterov else trace, trace

    return rule(step, 0.0)


def adam(b1: float | optax.Schedule, b2: float, eps: float, amsgrad: bool) -> optax.GradientTransformation:
    """Adam with a scheduled first beta, or AMSGrad with the maximum of second moments before bias correction (optax:
    after).
    """

    def step(g, p, t, m, v, *top):
        keep = rate_at(b1, t, g)
        m, v = keep * m + (1 - keep) * g, b2 * v + (1 - b2) * g * g
        top = [jnp.maximum(before, v) for before in top]
        correction = 1 - keep**t if callable(b1) else debias(b1, t)
        return m / correction / (jnp.sqrt((top[0] if top else v) / debias(b2, t)) + eps), m, v, *top

    return rule(step, *(0.0,) * (3 if amsgrad else 2))


def nadam(b1: float, b2: float, eps: float, momentum_decay: float, scalars=None) -> optax.GradientTransformation:
    """Adam with Nesterov momentum and Dozat's momentum warmup (optax: constant momentum). Keras's decay is 1.

    torch stores the running product of momenta in `scalars`, its default dtype.
    """

    def step(g, p, t, m, v, product):
        now, after = (b1 * (1 - 0.5 * jnp.exp(n * momentum_decay * math.log(0.96))) for n in (t, t + 1))
        stored = product * now.astype(product.dtype)
        product = stored.astype(p.dtype)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        mean = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
        return mean / (jnp.sqrt(v / debias(b2, t)) + eps), m, v, stored

    return rule(step, 0.0, 0.0, lambda p: jnp.ones((), scalars or p.dtype))


def radam(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Rectified Adam with eps added before bias correction (optax: after)."""
    longest = 2 / (1 - b2) - 1

    def step(g, p, t, m, v):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        mean, correction = m / debias(b1, t), debias(b2, t)
        length = longest - 2 * t * (1 - correction) / correction
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        adaptive = mean * jnp.sqrt(jnp.where(length > 5, ratio * correction, 1)) / (jnp.sqrt(v) + eps)
        return jnp.where(length > 5, adaptive, mean), m, v

    return rule(step, 0.0, 0.0)


def adagrad(start: float, eps: float, lr_decay: float) -> optax.GradientTransformation:
    """Adagrad with eps outside the square root (optax: inside), and a rate that decays as `1 / (1 + lr_decay * t)`."""

    def step(g, p, t, total):
        total = total + g * g
        return g / (jnp.sqrt(total) + eps) / (1 + (t - 1) * lr_decay), total

    return rule(step, start)


def rprop(start: float, etas: tuple[float, float], sizes: tuple[float, float]) -> optax.GradientTransformation:
    """Rprop: steps by the gradient's sign, growing while it stays the same; includes the learning rate."""

    def step(g, p, t, before, size):
        turn = jnp.sign(g * before)
        size = jnp.clip(size * jnp.where(turn > 0, etas[1], jnp.where(turn < 0, etas[0], 1)), *sizes)
        g = jnp.where(turn < 0, 0, g)
        return -jnp.sign(g) * size, g, size

    return rule(step, 0.0, start)


def asgd(rate: optax.ScalarOrSchedule, lambd: float, alpha: float, t0: float, scalars) -> optax.GradientTransformation:
    """Averaged SGD; includes the learning rate. The average of the parameters is the state's only slot.

    torch computes the step size at the end of the previous step, from that step's rate, and stores it in `scalars`, its
    default dtype.
    """

    def step(g, p, t, mean):
        lr = rate_at(rate, jnp.maximum(t - 1, 1), p)
        eta, share = lr / (1 + lambd * lr * (t - 1)) ** alpha, 1 / jnp.maximum(1, t - 1 - t0)
        eta, share = (x.astype(scalars).astype(p.dtype) for x in (eta, share))
        update = -eta * (lambd * p + g)
        return update, mean + (p + update - mean) * share

    return rule(step, 0.0)


def adafactor(
    rate: optax.ScalarOrSchedule, beta2_decay: float, eps: tuple[float | None, float], d: float, weight_decay: float
) -> optax.GradientTransformation:
    """Adafactor over the last two axes; includes the learning rate."""

    def moments(p, axis: int):
        if p.ndim > 2:
            raise ConfigError(
                "parameters with one or two axes",
                f"shape {p.shape}",
                "Adafactor factors over the last two axes, which are height and width in a torch kernel and channels "
                "in ours: use another optimizer, or optax.adafactor, which differs",
            )
        return jnp.zeros(p.shape, p.dtype) if p.ndim < 2 else jnp.zeros_like(p.mean(axis, keepdims=True))

    def step(g, p, t, row, column):
        lr, t = rate_at(rate, t, p), t.astype(p.dtype)
        floor = jnp.finfo(p.dtype).eps if eps[0] is None else eps[0]
        new, square = t**beta2_decay, g * g
        if p.ndim == 2:
            row += (square.mean(-1, keepdims=True) - row) * new
            column += (square.mean(-2, keepdims=True) - column) * new
            variance = row * column / jnp.maximum(row.mean(-2, keepdims=True), floor)
        else:
            variance = row = column = row + (square - row) * new
        direction = g * lax.rsqrt(jnp.maximum(variance, floor**2))
        length = jnp.maximum(1, _rms(direction) / d)
        size = jnp.maximum(eps[1], _rms(p)) * jnp.minimum(lr, lax.rsqrt(t))
        return -lr * weight_decay * p - size / length * direction, row, column

    return rule(step, lambda p: moments(p, -1), lambda p: moments(p, -2))


def _rms(x):
    return jnp.sqrt(jnp.square(x).mean())
