"""`keras.losses` in jax.numpy: reductions, regression losses, and the table of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from compose.core.errors import ConfigError
from compose.port.train.losses import keras_classes as classes
from compose.port.train.losses import keras_overlaps as overlaps


def keras_loss(source: Any, kind: str) -> Callable[[Any, Any], jax.Array]:
    """The loss function, including its reduction; if it masks elements, the mean is over the others."""
    fn = getattr(source, "fn", None)
    name = getattr(fn, "__name__", "")
    if name not in VALUES or not getattr(fn, "__module__", "").startswith("keras."):
        raise ConfigError("a loss of keras.losses", f"{kind} of {name}" if name else kind, "write it in JAX")
    values = VALUES[name](_epsilon(), **source._fn_kwargs)

    def apply(predictions, targets):
        result = values(*_same_rank(jnp.asarray(predictions), jnp.asarray(targets)))
        value, mask = result if isinstance(result, tuple) else (result, None)
        if mask is not None:
            value = value * mask
        if source.reduction in (None, "none") or value.ndim == 0:
            return value
        if source.reduction == "sum":
            return value.sum()
        return value.mean() if mask is None else value.sum() / jnp.maximum(mask.sum(), 1)

    return apply


def _epsilon() -> float:
    from keras import config

    return config.epsilon()


def _same_rank(x, t):
    """Match targets `(n,)` with predictions `(n, 1)`, and vice versa."""
    if x.ndim == t.ndim + 1 and x.shape[-1] == 1:
        return (x, t[..., None]) if t.ndim == 1 else (x[..., 0], t)
    if t.ndim == x.ndim + 1 and t.shape[-1] == 1:
        return (x[..., None], t) if x.ndim == 1 else (x, t[..., 0])
    return x, t


def _mean(of: Callable[..., jax.Array]) -> Callable[..., Any]:
    """The mean over the last axis of an elementwise loss without options."""
    return lambda eps: lambda x, t: of(x, t.astype(x.dtype), eps).mean(-1)


def _squared_log(x, t, eps):
    log = lambda v: jnp.log(jnp.maximum(v, eps) + 1)
    return jnp.square(log(x) - log(t))


def _log_cosh(x, t, eps):
    return x - t + jax.nn.softplus(-2 * (x - t)) - jnp.log(2.0)


def _huber(eps, delta=1.0):
    def values(x, t):
        size = jnp.abs(x - t)
        return jnp.where(size <= delta, 0.5 * jnp.square(x - t), delta * size - 0.5 * delta**2).mean(-1)

    return values


def _cosine(eps, axis=-1):
    def unit(x):
        square = jnp.square(x).sum(axis, keepdims=True)
        return x * jnp.where(square == 0, 0, jnp.minimum(jax.lax.rsqrt(jnp.where(square == 0, 1, square)), 1 / eps))

    return lambda x, t: -(unit(t.astype(x.dtype)) * unit(x)).sum(axis)


def _signs(t):
    """If all labels are 0 or 1, map them to -1 and 1."""
    return jnp.where(((t == 0) | (t == 1)).all(), 2 * t - 1, t)


def _kl_divergence(eps):
    def values(x, t):
        x, t = jnp.clip(x, eps, 1), jnp.clip(t.astype(x.dtype), eps, 1)
        return (t * jnp.log(t / x)).sum(-1)

    return values


VALUES: dict[str, Callable[..., Callable[..., Any]]] = {
    "mean_squared_error": _mean(lambda x, t, eps: jnp.square(t - x)),
    "mean_absolute_error": _mean(lambda x, t, eps: jnp.abs(t - x)),
    "mean_absolute_percentage_error": _mean(lambda x, t, eps: 100 * jnp.abs((t - x) / jnp.maximum(jnp.abs(t), eps))),
    "mean_squared_logarithmic_error": _mean(_squared_log),
    "log_cosh": _mean(_log_cosh),
    "huber": _huber,
    "cosine_similarity": _cosine,
    "hinge": _mean(lambda x, t, eps: jnp.maximum(1 - _signs(t) * x, 0)),
    "squared_hinge": _mean(lambda x, t, eps: jnp.square(jnp.maximum(1 - _signs(t) * x, 0))),
    "poisson": _mean(lambda x, t, eps: x - t * jnp.log(x + eps)),
    "kl_divergence": _kl_divergence,
    **classes.VALUES,
    **overlaps.VALUES,
}
