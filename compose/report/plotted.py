"""The plots that fit a network and its targets, each with its heading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from compose import plots
from compose.core.errors import DataError
from compose.plots.examples import as_image
from compose.plots.filters import first_kernel
from compose.train.metrics.metric import BINARY, CLASSES

if TYPE_CHECKING:
    from compose.train.heads import Head
    from compose.train.scoring import Scoring

Plot = tuple[str, Any]


def of_training(trained: Any) -> Iterator[Plot]:
    """The history, and the filters of a first layer that looks at images."""
    if trained.history:
        yield "Training", plots.history(trained)
    if first_kernel(trained) is not None:
        yield "Filters of the first layer", plots.filters(trained)


def of_predictions(trained: Any, scoring: Scoring, x: Any, y: Any, names: Sequence[Any] = ()) -> Iterator[Plot]:
    """What fits the targets of each output."""
    outputs = trained.predict(x)
    heads = scoring.scores.heads
    for head in heads:
        if head.place is None and len(jax.tree.leaves(outputs)) > 1:
            continue
        values = np.asarray(jax.tree.leaves(outputs)[head.place or 0])
        targets = jax.tree.leaves(head.targets(y))
        if len(targets) == 1:
            of = f" of {head.name}" if head.name else ""
            found = _of_head(scoring, head, x, values, np.asarray(targets[0]), names if len(heads) == 1 else ())
            yield from ((f"{title}{of}", figure) for title, figure in found)


def _of_head(
    scoring: Scoring, head: Head, x: Any, values: np.ndarray, targets: np.ndarray, names: Sequence[Any]
) -> Iterator[Plot]:
    kind = head.about.kind
    if kind not in (CLASSES, BINARY):
        if values.size == targets.size:
            yield "Residuals", plots.residuals(values, targets.reshape(values.shape))
        return
    if values.ndim > 2 or (kind == BINARY and values.shape[1:] not in ((), (1,))):
        return  # steps, pixels, or several labels an example
    threshold = None
    if kind == BINARY:
        targets = (targets > head.about.middle).astype(int).reshape(len(targets))
        threshold = 0.5 if scoring.outputs.at(head.place).over == "elements" else head.about.threshold
    if head.ignore is not None:
        kept = targets != head.ignore if targets.ndim == 1 else np.ones(len(targets), bool)
        x, values, targets = jax.tree.map(lambda a: np.asarray(a)[kept], x), values[kept], targets[kept]
    yield "Confusion", plots.confusion(values, targets, names, threshold)
    for title, curve in (("ROC", plots.roc), ("Precision and recall", plots.precision_recall)):
        try:
            yield title, curve(values, targets, names)
        except DataError:  # all examples are of one class
            continue
    pictures = jax.tree.leaves(x)
    if len(pictures) == 1 and as_image(pictures[0][0]) is not None:
        yield "Worst predictions", plots.worst(pictures[0], values, targets, names, threshold=threshold)
