"""Losses for targets that are numbers."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.train.losses.loss import loss


@loss(errors=True)
def mse(predictions, targets):
    """The mean of `(prediction - target)²`, as in Keras and torch; optax's `l2_loss` is half that."""
    return jnp.square(predictions - targets)


@loss(errors=True)
def mae(predictions, targets):
    """The mean of `|prediction - target|`."""
    return jnp.abs(predictions - targets)


@loss(errors=True)
def huber(predictions, targets, *, delta: float = 1.0):
    """Half the squared error up to an error of `delta`, linear beyond (Huber, 1964)."""
    _above_0("delta", delta)
    return optax.losses.huber_loss(predictions, targets, delta=delta)


@loss(errors=True)
def log_cosh(predictions, targets):
    """`log(cosh(prediction - target))`."""
    return optax.log_cosh(predictions, targets)


@loss(errors=True)
def quantile(predictions, targets, *, q: float = 0.5):
    """The pinball loss, least where predictions are the `q` quantile of the targets (Koenker & Bassett, 1978).

    An error counts `q` where the prediction is too low, `1 - q` where it is too high. Elsewhere: scikit-learn
    `mean_pinball_loss(alpha=q)`.
    """
    if not 0 < q < 1:
        raise ConfigError("a quantile q between 0 and 1", repr(q))
    short = targets - predictions
    return jnp.maximum(q * short, (q - 1) * short)


@loss
def poisson(predictions, targets):
    """`prediction - target · log(prediction)`, for predicted rates and observed counts."""
    return predictions - targets * jnp.log(predictions + 1e-7)


@loss
def cosine(predictions, targets):
    """`1 - cos` of the angle between the vectors along the last axis.

    Elsewhere: torch `CosineEmbeddingLoss` for a target of 1, optax `cosine_distance`; Keras `CosineSimilarity` is lower
    by 1.
    """
    return 1 - jnp.sum(_unit(predictions) * _unit(targets), -1)


def _unit(x):
    """Vectors of length 1; a vector of zeros stays, with gradient 0."""
    square = jnp.sum(jnp.square(x), -1, keepdims=True)
    return jnp.where(square == 0, 0, x / jnp.sqrt(jnp.where(square == 0, 1, square)))


def _above_0(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{name} above 0", repr(value))
