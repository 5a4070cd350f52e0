"""Metrics: a name, or any function of (predictions, targets); the mean of its result is reported.

Predictions are the network's outputs, including its final activation.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.train.by_name import unknown
from compose.train.logits import Outputs
from compose.train.losses import Loss, mae, mse, widen


@dataclass(frozen=True)
class Metric:
    """A metric and its name in the history. With `of_logits` it takes the loss's logits: argmax needs no softmax."""

    name: str
    fn: Callable
    of_logits: bool = False

    def __call__(self, outputs: Outputs, logits, targets) -> Any:
        predictions = logits if self.of_logits else jax.tree.map(widen, outputs.value)
        return jnp.mean(self.fn(predictions, targets))


def accuracy(predictions, targets):
    """Whether the largest output is that of the label; targets are integer or one-hot labels."""
    labels = targets if targets.ndim < predictions.ndim else targets.argmax(-1)
    return predictions.argmax(-1) == labels


def binary_accuracy(predictions, targets, threshold: float = 0.5):
    """Whether each output is above the threshold exactly if its target is 1, not 0."""
    return (predictions > threshold) == (targets > 0.5)


def top_k(predictions, targets, k: int):
    """Whether the label is among the `k` largest outputs."""
    labels = targets if targets.ndim < predictions.ndim else targets.argmax(-1)
    return (jax.lax.top_k(predictions, k)[1] == labels[..., None]).any(-1)


METRICS = {"accuracy": accuracy, "binary_accuracy": binary_accuracy, "mse": mse, "mae": mae, "top_5": top_k}


def metric_of(metric: Any, loss: Loss) -> Metric:
    """The metric for a name (`top_5` is `top_k` with k = 5) or a function.

    `accuracy` depends on the loss: over classes, or for each element if the loss is binary cross entropy.
    """
    ranked = re.fullmatch(r"top_([1-9]\d*)", metric) if isinstance(metric, str) else None
    if ranked:
        return Metric(metric, functools.partial(top_k, k=int(ranked[1])), loss.over == "classes")
    if metric == "accuracy" and loss.over != "elements":
        return Metric(metric, accuracy, loss.over == "classes")
    if metric in ("accuracy", "binary_accuracy"):
        on_logits = loss.over == "elements"
        return Metric(metric, functools.partial(binary_accuracy, threshold=0.0 if on_logits else 0.5), on_logits)
    if isinstance(metric, str) and metric in METRICS:
        return Metric(metric, METRICS[metric])
    if callable(metric):
        return Metric(getattr(metric, "__name__", "metric"), metric)
    raise unknown("a metric", metric, METRICS, "a function of (predictions, targets)")
