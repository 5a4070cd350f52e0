"""`torch.nn` losses in jax.numpy: the elementwise ones, and the table of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import xlogy

from compose.core.errors import ConfigError
from compose.port.train.losses import torch_classes as classes
from compose.port.train.losses import torch_margins as margins
from compose.port.train.losses.subgradients import TINY, absolute, constant, weighted


def torch_loss(source: Any, kind: str, axis: int) -> Callable[..., jax.Array]:
    """The loss function, including its reduction."""
    if kind in classes.WHOLE:
        return classes.WHOLE[kind](source, axis)
    if kind not in VALUES:
        raise ConfigError("a loss with an exact equivalent", f"torch.nn.{kind}", REFUSED.get(kind, "write it in JAX"))
    values, reduction = VALUES[kind](source), source.reduction
    if reduction == "batchmean":
        return lambda predictions, targets: values(predictions, targets).sum() / predictions.shape[0]
    reduce = {"mean": jnp.mean, "sum": jnp.sum, "none": lambda x: x}[reduction]
    return lambda predictions, targets=None: reduce(values(predictions, targets))


def _smooth_l1(m):
    def values(x, t):
        size = absolute(x - t)
        return jnp.where(size < m.beta, 0.5 * (x - t) ** 2 / (m.beta or 1.0), size - 0.5 * m.beta)

    return values


def _huber(m):
    def values(x, t):
        size = absolute(x - t)
        return jnp.where(size <= m.delta, 0.5 * (x - t) ** 2, m.delta * (size - 0.5 * m.delta))

    return values


def _kl_div(m):
    if m.log_target:
        return lambda x, t: jnp.exp(t) * (t - x)
    return lambda x, t: xlogy(t, t) - t * x


def _poisson(m):
    def values(x, t):
        value = jnp.exp(x) - t * x if m.log_input else x - t * jnp.log(x + m.eps)
        if m.full:
            above = jnp.where(t > 1, t, 1)
            value += jnp.where(t > 1, t * jnp.log(above) - t + 0.5 * jnp.log(2 * math.pi * above), 0)
        return value

    return values


def _gaussian(m):
    """The variance is clamped, but its gradient passes as if it were not."""

    def values(x, t):
        mean, var = x
        var = var[..., None] if var.ndim == mean.ndim - 1 else var
        var = var + lax.stop_gradient(jnp.maximum(var, m.eps) - var)
        return 0.5 * (jnp.log(var) + (mean - t) ** 2 / var) + (0.5 * math.log(2 * math.pi) if m.full else 0)

    return values


def _bce(m):
    weight = constant(m.weight)

    def values(x, t):
        return weighted(_cross_entropy_of_probability(x, t.astype(x.dtype)), weight)

    return values


@jax.custom_jvp
def _cross_entropy_of_probability(x, t):
    """Logarithms are clamped at -100 and gradients at 1e12, so both are finite at 0 and 1."""
    return -(t * jnp.maximum(jnp.log(x), -100) + (1 - t) * jnp.maximum(jnp.log1p(-x), -100))


@_cross_entropy_of_probability.defjvp
def _(primals, tangents):
    (x, t), (dx, dt) = primals, tangents
    logit = jnp.maximum(jnp.log1p(-x), -100) - jnp.maximum(jnp.log(x), -100)
    return _cross_entropy_of_probability(x, t), dx * (x - t) / jnp.maximum((1 - x) * x, TINY) + dt * logit


def _bce_with_logits(m):
    weight, positive = constant(m.weight), constant(m.pos_weight)

    def values(x, t):
        more = 1 if positive is None else 1 + weighted(t, positive - 1)
        return weighted((1 - t) * x + more * jax.nn.softplus(-x), weight)

    return values


VALUES: dict[str, Callable[[Any], Callable[..., jax.Array]]] = {
    "L1Loss": lambda m: lambda x, t: absolute(x - t),
    "MSELoss": lambda m: lambda x, t: (x - t) ** 2,
    "SmoothL1Loss": _smooth_l1,
    "HuberLoss": _huber,
    "KLDivLoss": _kl_div,
    "PoissonNLLLoss": _poisson,
    "GaussianNLLLoss": _gaussian,
    "BCELoss": _bce,
    "BCEWithLogitsLoss": _bce_with_logits,
    "SoftMarginLoss": lambda m: lambda x, t: jax.nn.softplus(-t * x),
    **margins.VALUES,
}

REFUSED = {
    "LinearCrossEntropyLoss": "it has weights: use a network that ends in fc, and CrossEntropyLoss",
    "TripletMarginWithDistanceLoss": "its distance is a Python function: write it in JAX",
}
