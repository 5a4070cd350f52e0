"""Metrics of numbers: errors, and the share of the variance that is explained.

For several outputs along the last axis, RMSE and R² are means over them, as in scikit-learn.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.train.losses.regression import mae as absolute
from compose.train.losses.regression import mse as squared
from compose.train.metrics.metric import Batch, Metric, Subject, averaged

ANY = ("classes", "binary", "numbers")


def mse(*, name: str = "mse") -> Metric:
    """The mean of `(prediction - target)²`."""
    return averaged(name, lambda batch: squared.fn(batch.outputs, batch.targets), ANY)


def mae(*, name: str = "mae") -> Metric:
    """The mean of `|prediction - target|`."""
    return averaged(name, lambda batch: absolute.fn(batch.outputs, batch.targets), ANY)


def rmse(*, name: str = "rmse") -> Metric:
    """The root of the mean of `(prediction - target)²` over the data.

    Elsewhere: scikit-learn `root_mean_squared_error`.
    """
    return Metric(name, _nothing, _add, _root, ANY)


def r2(*, name: str = "r2") -> Metric:
    """1 minus the squared error as a share of the targets' variance over the data.

    Elsewhere: scikit-learn `r2_score`.
    """
    return Metric(name, _nothing, _add, _explained, ANY)


def _nothing(about: Subject) -> Any:
    """For each column: the count, the mean of the targets, their squared deviations from it, the squared errors."""
    return tuple(jnp.zeros(about.columns, float) for _ in range(4))


def _add(value: Any, batch: Batch) -> Any:
    """Add a batch; means are combined by the update of Chan et al., 1979, which is accurate for any mean."""
    count, mean, spread, error = value
    outputs, targets, real = batch.rows(batch.outputs, batch.targets.astype(batch.outputs.dtype))
    real = jnp.ones(targets.shape, bool) if real is None else real
    n = real.sum(0).astype(float)
    center = jnp.where(real, targets, 0).sum(0) / jnp.maximum(n, 1)
    apart = jnp.square(jnp.where(real, targets - center, 0)).sum(0)
    total, step = count + n, center - mean
    share = n / jnp.maximum(total, 1)
    return (
        total, mean + step * share, spread + apart + jnp.square(step) * count * share,
        error + jnp.square(jnp.where(real, outputs - targets, 0)).sum(0),
    )  # fmt: skip


def _root(value: Any, about: Subject) -> float:
    count, _, _, error = value
    return float(np.sqrt(error / count).mean()) if count.all() else math.nan


def _explained(value: Any, about: Subject) -> float:
    """As in scikit-learn, a column of equal targets counts 1 if it is predicted exactly and 0 if not."""
    _, _, spread, error = value
    constant = np.where(error == 0, 1.0, 0.0)
    return float(np.where(spread > 0, 1 - error / np.where(spread > 0, spread, 1), constant).mean())
