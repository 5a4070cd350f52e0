"""Metrics of classes, from counts: accuracy, precision, recall, F1 and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError
from compose.train.metrics.metric import BINARY, CLASSES, Batch, Metric, Subject, averaged, like

Average = Literal["macro", "micro", "weighted"]


def accuracy(*, name: str = "accuracy") -> Metric:
    """The share of targets that are predicted: the class of the largest output, or each binary output by itself."""
    return averaged(name, _hits, (CLASSES, BINARY))


def _hits(batch: Batch) -> Any:
    if batch.about.kind == CLASSES:
        return batch.scores.argmax(-1) == batch.labels
    return batch.positive == batch.truth


def binary_accuracy(*, name: str = "binary_accuracy") -> Metric:
    """The share of elements that are above the threshold exactly if their target is 1."""
    return averaged(name, _elements, (CLASSES, BINARY))


def _elements(batch: Batch) -> Any:
    if batch.about.kind == BINARY:
        return batch.positive == batch.truth
    targets = batch.targets
    if targets.ndim < batch.outputs.ndim:
        targets = jax.nn.one_hot(targets, batch.outputs.shape[-1])
    return (batch.probabilities > 0.5) == (targets > 0.5)


def top_k(k: int, *, name: str = "") -> Metric:
    """The share of labels among the `k` largest outputs; by name `top_5`."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ConfigError("k to be an integer of at least 1 for top_k", repr(k))

    def each(batch: Batch) -> Any:
        if k > batch.about.columns:
            raise ConfigError(f"at least {k} classes for {name or f'top_{k}'}", f"{batch.about.columns} outputs")
        return (jax.lax.top_k(batch.scores, k)[1] == batch.labels[..., None]).any(-1)

    return averaged(name or f"top_{k}", each, (CLASSES,))


def confusion(*, name: str = "confusion") -> Metric:
    """How often class `i` was predicted as class `j`: the matrix `(classes, classes)`, for `evaluate`.

    Elsewhere: scikit-learn `confusion_matrix`; for several binary outputs, `multilabel_confusion_matrix`.
    """
    return Metric(name, _no_counts, _add_counts, _matrix, (CLASSES, BINARY), number=False)


def precision(*, average: Average | None = None, name: str = "precision") -> Metric:
    """The share of positive predictions that are right.

    Of two classes the positive one is class 1. For more classes, and for several binary outputs, it is the mean over
    them; `average` is `"macro"`, `"weighted"` by how often each occurs, or `"micro"`, of the counts of all together. 0
    where there are no positive predictions. Elsewhere: scikit-learn `precision_score(zero_division=0)`.
    """
    return _rate(name, average, lambda right, missed, false: _ratio(right, right + false))


def recall(*, average: Average | None = None, name: str = "recall") -> Metric:
    """The share of positive targets that are found; `average` as in `precision`. scikit-learn `recall_score`."""
    return _rate(name, average, lambda right, missed, false: _ratio(right, right + missed))


def f1(*, average: Average | None = None, name: str = "f1") -> Metric:
    """The harmonic mean of precision and recall; `average` as in `precision`. Elsewhere: scikit-learn `f1_score`."""
    return _rate(name, average, lambda right, missed, false: _ratio(2 * right, 2 * right + missed + false))


def _rate(name: str, average: str | None, of: Callable[[Any, Any, Any], Any]) -> Metric:
    if average not in (None, "macro", "micro", "weighted"):
        raise ConfigError('the average "macro", "micro" or "weighted"', repr(average))

    def result(counts: Any, about: Subject) -> float:
        right, missed, false = _rates(np.asarray(counts, np.float64), about)
        if average is None and about.kind == CLASSES and about.columns == 2:
            return float(of(right, missed, false)[1])
        if average == "micro":
            return float(of(right.sum(), missed.sum(), false.sum()))
        occurs = right + missed + false > 0 if about.kind == CLASSES else np.ones(right.shape, bool)
        weights = right + missed if average == "weighted" else occurs
        return float(_ratio((of(right, missed, false) * weights).sum(), weights.sum()))

    return Metric(name, _no_counts, _add_counts, result, (CLASSES, BINARY))


def _no_counts(about: Subject) -> Any:
    shape = (about.columns, about.columns) if about.kind == CLASSES else (about.columns, 2, 2)
    return jnp.zeros(shape, jnp.int32)


def _add_counts(counts: Any, batch: Batch) -> Any:
    """The counts of (target, prediction): `(classes, classes)`, or `(outputs, 2, 2)` for binary targets."""
    if batch.about.kind == CLASSES:
        truth, found = batch.labels.reshape(-1), batch.scores.argmax(-1).reshape(-1)
        real = 1 if batch.real is None else like(batch.real, batch.labels).reshape(-1).astype(jnp.int32)
        return counts.at[truth, found].add(real)
    truth, found, real = batch.rows(batch.truth, batch.positive)
    column = jnp.broadcast_to(jnp.arange(truth.shape[1]), truth.shape)
    return counts.at[column, truth.astype(int), found.astype(int)].add(1 if real is None else real.astype(jnp.int32))


def _matrix(counts: Any, about: Subject) -> Any:
    counts = np.asarray(counts)
    return counts[0] if about.kind == BINARY and about.columns == 1 else counts


def _rates(counts: Any, about: Subject) -> tuple[Any, Any, Any]:
    """For each class or binary output: how many are found, missed, and found wrongly."""
    if about.kind == CLASSES:
        right = np.diagonal(counts)
        return right, counts.sum(1) - right, counts.sum(0) - right
    return counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1]


def _ratio(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=np.asarray(b) != 0)
