"""Metrics of how scores rank positive above negative targets. They are exact: the scores of all examples are kept.

That takes 5 bytes for each target and class (9 in float64). For a stream, whose length is not known, the room for them
is doubled when it is full.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.train.metrics.metric import BINARY, CLASSES, Batch, Metric, Subject, like

ROOM = 1 << 18  # scores that there is room for at first in a stream


def auc(*, name: str = "auc") -> Metric:
    """The area under the ROC curve: how likely a positive target scores above a negative one.

    Of two classes the positive one is class 1. For more classes it is the mean over each class against the rest; for
    several binary outputs, the mean over them. NaN if a class does not occur in the data. Elsewhere: scikit-learn
    `roc_auc_score(multi_class="ovr")`.
    """
    return _ranking(name, _area)


def average_precision(*, name: str = "average_precision") -> Metric:
    """The area under the steps of precision over recall; means as in `auc`. scikit-learn `average_precision_score`."""
    return _ranking(name, _precision)


def _ranking(name: str, of: Callable[[Any, Any], float]) -> Metric:
    def result(value: Any, about: Subject) -> float:
        scores, truth, real, _ = value
        columns = [of(scores[keep, i], truth[keep, i]) for i, keep in enumerate(real.T)]
        two = about.kind == CLASSES and about.columns == 2  # of which one is the positive
        return float(columns[1] if two else np.mean(columns))

    return Metric(name, _nothing, _add, result, (CLASSES, BINARY), live=False, room=_room)


def _nothing(about: Subject) -> Any:
    shape = (about.rows, about.columns)
    return jnp.zeros(shape, float), jnp.zeros(shape, bool), jnp.zeros(shape, bool), jnp.int32(0)


def _room(value: Any, rows: int) -> Any:
    *kept, at = value
    length, needed = len(kept[0]), int(at) + rows
    if needed <= length:
        return value
    more = max(2 * length, needed, ROOM // max(kept[0].shape[1], 1)) - length
    return *(np.pad(np.asarray(a), ((0, more), (0, 0))) for a in kept), at


def _add(value: Any, batch: Batch) -> Any:
    about = batch.about
    scores, truth, real, at = value
    if about.kind == CLASSES:
        found = batch.probabilities
        positive = jax.nn.one_hot(batch.labels, found.shape[-1], dtype=bool)
    else:
        found, positive = batch.scores, batch.truth
    counts = jnp.ones(found.shape, bool) if batch.real is None else like(batch.real, found)
    found, positive, counts = (a.reshape(-1, about.columns) for a in (found, positive, counts))
    put = lambda into, rows: jax.lax.dynamic_update_slice(into, rows.astype(into.dtype), (at, jnp.zeros_like(at)))
    return put(scores, found), put(truth, positive), put(real, counts), at + len(found)


def _area(scores: Any, truth: Any) -> float:
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return math.nan
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[group][truth].sum()  # equal scores share their mean rank
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def _precision(scores: Any, truth: Any) -> float:
    if not truth.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order]
    last = np.r_[np.nonzero(np.diff(scores))[0], len(scores) - 1]  # ties count as one step
    right = np.cumsum(truth)[last]
    return float((np.diff(right, prepend=0) * right / (last + 1)).sum() / truth.sum())
