"""Weights of examples and classes. They travel with the targets, so that every batch has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from compose.core.errors import ConfigError, DataError


class Weighted(NamedTuple):
    """Targets with weights: of the loss of each output by its name, or under "" for every output."""

    targets: Any
    weights: dict[str, Any]


def apart(y: Any) -> tuple[Any, dict[str, Any]]:
    """The targets, and the weights if there are any."""
    return (y.targets, y.weights) if isinstance(y, Weighted) else (y, {})


def weight_for(weights: dict[str, Any], output: str) -> Any:
    """The weights of one output's loss; None without any."""
    return weights.get(output, weights.get(""))


def with_sample_weight(y: Any, given: Any, count: int, batch: bool = False) -> Any:
    """The targets with weights of examples: an array, or a dict of arrays by output; those of a batch may all be 0.

    Raises `DataError`.
    """
    if given is None:
        return y
    by_output = given if isinstance(given, Mapping) else {"": given}
    names = {name: f"sample_weight[{name!r}]" if name else "sample_weight" for name in by_output}
    return Weighted(y, {name: _sample_weight(w, count, names[name], batch) for name, w in by_output.items()})


def with_class_weight(y: Any, output: str, given: Any, labels: np.ndarray, classes: int) -> Weighted:
    """The targets with weights of classes for one output, besides those that they have."""
    targets, weights = apart(y)
    own, before = class_weights(given, labels, classes), weight_for(weights, output)
    if before is not None:
        own = own * np.asarray(before).reshape(before.shape + (1,) * (own.ndim - before.ndim))
    return Weighted(targets, {**weights, output: own})


def _sample_weight(given: Any, count: int, name: str, batch: bool) -> Any:
    try:
        weights = given if isinstance(given, jax.Array) else np.asarray(given)
    except ValueError as e:
        raise DataError(f"{name} must be an array: {e}") from None
    if weights.ndim == 0 or len(weights) != count:
        raise DataError(f"{name} must have one weight for each of the {count} examples; got shape {weights.shape}")
    if weights.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers; got {weights.dtype}")
    weights = weights.astype(jax.dtypes.canonicalize_dtype(np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any() or not (batch or weights.any()):
        raise DataError(f"{name} must be finite, not negative and not all 0")
    return weights


def class_weights(given: Any, labels: np.ndarray, classes: int) -> np.ndarray:
    """The weight of each label, for weights by class: a dict, one number for each class, or `"balanced"`.

    Balanced weights are `n / (classes · occurrences)`, as in scikit-learn. Classes without a weight, and labels below
    0, have weight 1. Raises `ConfigError`.
    """
    counts = np.bincount(labels[labels >= 0].reshape(-1).astype(np.int64))
    if isinstance(given, str) and given == "balanced":
        table = np.where(counts > 0, counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1)), 1.0)
    elif isinstance(given, Mapping):
        unknown = [label for label in given if isinstance(label, bool) or not isinstance(label, (int, np.integer))]
        if unknown or min(given, default=0) < 0:
            raise ConfigError("class_weight for integer classes from 0", repr(given))
        if max(given, default=0) >= classes:
            raise ConfigError(f"class_weight for the classes 0 to {classes - 1}", repr(given))
        table = np.ones(max(len(counts), classes))
        for label, weight in given.items():
            table[label] = weight
    else:
        table = np.zeros(0) if isinstance(given, str) else np.asarray(given, np.float64)
        if table.ndim != 1 or not len(counts) <= len(table) <= classes:
            raise ConfigError(
                f'class_weight to be "balanced", a dict from class to weight, or {classes} numbers', repr(given)
            )
    if not np.isfinite(table).all() or (table < 0).any():
        raise ConfigError("weights of classes that are finite and not negative", repr(given))
    return np.where(labels >= 0, table[np.maximum(labels, 0)], 1.0).astype(jax.dtypes.canonicalize_dtype(np.float64))
