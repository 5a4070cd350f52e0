"""The metric that a name, a function or a loss means, and whether it fits an output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from compose.core.errors import ConfigError
from compose.train import metrics
from compose.train.by_name import of_another_library, unknown
from compose.train.losses.known import LOSSES
from compose.train.losses.loss import Loss
from compose.train.metrics.metric import BINARY, CLASSES, NUMBERS, Batch, Metric, Subject, averaged

METRICS = {name: getattr(metrics, name) for name in metrics.__all__ if name not in ("Metric", "metric", "top_k")}
_NAMES = (*METRICS, "top_5", *(name for name in LOSSES if name not in METRICS and LOSSES[name].targets != "pairs"))
_ANY = (CLASSES, BINARY, NUMBERS)


def metric_of(metric: Any) -> Metric:
    """The metric for a name (`top_5` is `top_k(5)`), a function or a loss. Raises `ConfigError` for anything else."""
    if isinstance(metric, Metric):
        return metric
    ranked = re.fullmatch(r"top_([1-9]\d*)", metric) if isinstance(metric, str) else None
    if ranked:
        return metrics.top_k(int(ranked[1]))
    if isinstance(metric, str) and metric in METRICS:
        return METRICS[metric]()
    if isinstance(metric, str) and metric in LOSSES:
        return _of_loss(LOSSES[metric])
    if isinstance(metric, Loss):
        return _of_loss(metric)
    if callable(metric) and not of_another_library(metric):
        known = next((word for word in METRICS.values() if word is metric), None)
        if known is not None:
            return known()
        name = getattr(metric, "__name__", "metric")
        return averaged(name, lambda batch: metric(batch.outputs, batch.targets), _ANY, whole=True)
    raise unknown("a metric", metric, _NAMES, "a function of (predictions, targets)")


def _of_loss(loss: Loss) -> Metric:
    """A loss measured as a metric, on logits if it takes them and the training loss has them."""

    def each(batch: Batch) -> Any:
        if loss.over in ("classes", "elements") and batch.about.over != loss.over:
            raise ConfigError(
                f"a training loss on the same logits for the metric {loss.name}", "another",
                "compute it from predictions, with a function of (predictions, targets)",
            )  # fmt: skip
        return loss.each(batch.logits if loss.over else batch.outputs, batch.targets, batch.real)

    kinds = (CLASSES,) if loss.over == "classes" else (BINARY, NUMBERS) if loss.over else _ANY
    return averaged(loss.name, each, kinds, alike=loss.targets in ("alike", "distribution"))


def losses_among(given: Iterable[Any]) -> list[Loss]:
    """Those of the metrics that are losses of several outputs or of sequences, which fit few targets."""
    found = [LOSSES.get(metric) if isinstance(metric, str) else metric for metric in given]
    return [loss for loss in found if isinstance(loss, Loss) and loss.targets in ("pairs", "none", "sequence")]


def check_fits(metric: Metric, about: Subject, output: str = "") -> None:
    """Raise `ConfigError` unless the metric means something for such targets."""
    of = f" of the output {output!r}" if output else ""
    if metric.alike and about.outputs != about.targets:
        raise ConfigError(
            f"targets{of} with the shape of the outputs for the metric {metric.name}",
            f"{about.targets} for each example, and outputs {about.outputs}",
        )  # fmt: skip
    if about.kind in metric.kinds:
        return
    if about.kind == NUMBERS:
        raise ConfigError(
            f"targets{of} that are classes (labels, one-hot, 0 and 1, or -1 and 1) for the metric {metric.name}",
            "other numbers", "for numbers there are mse, mae, rmse and r2",
        )  # fmt: skip
    raise ConfigError(
        f"targets{of} that are {' or '.join(metric.kinds)} for the metric {metric.name}", f"{about.kind} targets"
    )
