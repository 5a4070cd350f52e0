"""Optimizers: any optax transformation, or a name."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.train.by_name import unknown

OPTIMIZERS = {
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "nesterov": functools.partial(optax.sgd, momentum=0.9, nesterov=True),
    "rmsprop": optax.rmsprop,
    "adam": optax.adam,
    "adamw": optax.adamw,
    "nadam": optax.nadam,
    "adamax": optax.adamax,
    "adagrad": optax.adagrad,
    "adadelta": optax.adadelta,
    "lion": optax.lion,
    "lamb": optax.lamb,
}
_RATES = {"sgd": 1e-2, "momentum": 1e-2, "nesterov": 1e-2, "lion": 1e-4}  # the rest 1e-3, as in Keras


def optimizer_of(optimizer: Any, learning_rate: Any = None) -> Any:
    """The optax transformation for a name and a learning rate or schedule; a transformation is returned unchanged.

    Raises `ConfigError` for an unknown name, and for a learning rate given with an optax transformation.
    """
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer](learning_rate if callable(learning_rate) else _rate(optimizer, learning_rate))
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        hint = "call it with its learning rate, as in optax.adam(1e-3)" if callable(optimizer) else ""
        error = unknown("an optimizer", optimizer, OPTIMIZERS, "an optax transformation")
        error.hint = hint or error.hint
        raise error
    if learning_rate is not None:
        raise ConfigError("learning_rate only with an optimizer given by name", f"{learning_rate!r}")
    return optimizer


def _rate(name: str, learning_rate: Any) -> float:
    try:
        rate = _RATES.get(name, 1e-3) if learning_rate is None else float(learning_rate)
    except (TypeError, ValueError):
        rate = math.nan
    if not rate > 0:
        raise ConfigError("a learning_rate above 0, or a schedule", repr(learning_rate))
    return rate


def split(net: Layer, params) -> tuple[Any, Any]:
    """Split parameters into trainable and fixed: two trees, each with None where the other has an array.

    The optimizer sees only the trainable tree: frozen parameters get no gradient, no optimizer state and no
    weight decay.
    """
    mask = jax.tree.map(lambda on, p: bool(on) and jnp.issubdtype(p.dtype, jnp.inexact), net.trainable(params), params)
    training = jax.tree.map(lambda on, p: p if on else None, mask, params)
    fixed = jax.tree.map(lambda on, p: None if on else p, mask, params)
    return training, fixed


def merge(training, fixed) -> Any:
    """Undo `split`."""
    return jax.tree.map(lambda a, b: b if a is None else a, training, fixed, is_leaf=lambda leaf: leaf is None)
