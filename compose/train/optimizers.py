"""Optimizers: any optax transformation, or a name."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.patterns import chosen, paths
from compose.train.by_name import of_another_library, unknown
from compose.train.freezing import held

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


def optimizer_of(optimizer: Any, learning_rate: Any = None, clip: Any = None, accumulate: int = 1) -> Any:
    """The optax transformation for a name and a learning rate; a transformation is taken as it is.

    `learning_rate` is a number, a schedule, or a dict of these by pattern of path; the first that fits counts.
    Gradients are clipped to the global norm `clip`, and averaged over `accumulate` steps before that.

    Raises `ConfigError` for an unknown name, and for a learning rate given with an optax transformation.
    """
    update = _update(optimizer, learning_rate)
    if clip is not None:
        if isinstance(clip, bool) or not isinstance(clip, (int, float)) or not clip > 0:
            raise ConfigError("clip, the largest norm of the gradients, above 0", repr(clip))
        update = optax.chain(optax.clip_by_global_norm(clip), update)
    # its own accumulator is in float32
    return update if accumulate == 1 else optax.MultiSteps(update, accumulate, accumulator_dtype=jnp.result_type(float))


def _update(optimizer: Any, learning_rate: Any) -> Any:
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        if not isinstance(learning_rate, Mapping):
            return _named(optimizer, learning_rate)
        each = {pattern: _named(optimizer, rate) for pattern, rate in learning_rate.items()}
        return optax.partition(each, functools.partial(_patterns, tuple(learning_rate)))
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        uncalled = callable(optimizer) and not of_another_library(optimizer)
        hint = "call it with its learning rate, as in optax.adam(1e-3)" if uncalled else ""
        error = unknown("an optimizer", optimizer, OPTIMIZERS, "an optax transformation")
        error.hint = hint or error.hint
        raise error
    if learning_rate is not None:
        raise ConfigError("learning_rate only with an optimizer given by name", f"{learning_rate!r}")
    return optimizer


def _named(name: str, learning_rate: Any) -> Any:
    return OPTIMIZERS[name](learning_rate if callable(learning_rate) else _rate(name, learning_rate))


def _patterns(rules: tuple[str, ...], training: Any) -> Any:
    """The pattern of each parameter."""
    labels = chosen({rule: rule for rule in rules}, training, "learning_rate", default="")
    missing = [path for path, label in zip(paths(training), jax.tree.leaves(labels)) if not label]
    if missing:
        raise ConfigError(
            "a learning_rate for every parameter that trains", f"none for {missing[0]}", '"**": 1e-3 is for the rest'
        )
    return labels


def _rate(name: str, learning_rate: Any) -> float:
    try:
        rate = _RATES.get(name, 1e-3) if learning_rate is None else float(learning_rate)
    except (TypeError, ValueError):
        rate = math.nan
    if not rate > 0:
        raise ConfigError("a learning_rate above 0, or a schedule", repr(learning_rate))
    return rate


def split(net: Layer, params, freeze: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """Split parameters into trainable and fixed: two trees, each with None where the other has an array.

    The optimizer sees only the trainable tree: frozen parameters get no gradient, no optimizer state and no
    weight decay. `freeze` are patterns of paths of more parameters to fix.
    """
    mask = jax.tree.map(lambda on, p: bool(on) and jnp.issubdtype(p.dtype, jnp.inexact), net.trainable(params), params)
    if freeze:
        mask = jax.tree.map(lambda on, held: on and not held, mask, held(params, freeze))
    training = jax.tree.map(lambda on, p: p if on else None, mask, params)
    fixed = jax.tree.map(lambda on, p: None if on else p, mask, params)
    return training, fixed


def merge(training, fixed) -> Any:
    """Undo `split`."""
    return jax.tree.map(lambda a, b: b if a is None else a, training, fixed, is_leaf=lambda leaf: leaf is None)
