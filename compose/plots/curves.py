"""ROC and precision-recall curves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.core.errors import DataError
from compose.plots.classes import Classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 10  # curves with a line of their own in the legend


def roc(predictions: Any, targets: Any, names: Sequence[Any] = (), path: str | os.PathLike | None = None) -> Figure:
    """The share of true positives found over the share of false alarms, with the area below in the legend.

    Two classes: the curve of class 1. Several: each against the rest.

    Args:
        predictions: scores `(n, classes)`, or `(n,)` or `(n, 1)` for class 1 of two.
        targets: labels `(n,)`, or one-hot `(n, classes)`.
        names: the names of the classes.
        path: a file to write.

    Raises `DataError` if they do not fit each other, or if no class has examples in it and outside. Elsewhere:
    scikit-learn `RocCurveDisplay`.
    """
    from sklearn.metrics import auc, roc_curve

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[Any, Any, str]:
        x, y, _ = roc_curve(positive, scores)
        return x, y, f"AUC {auc(x, y):.3f}"

    return _curves(predictions, targets, names, path, curve, "false positive rate", "true positive rate", "diagonal")


def precision_recall(
    predictions: Any, targets: Any, names: Sequence[Any] = (), path: str | os.PathLike | None = None
) -> Figure:
    """The share of alarms that are right over the share of positives found, with the average precision in the legend.

    Arguments and errors as for `roc`. Elsewhere: scikit-learn `PrecisionRecallDisplay`.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[Any, Any, str]:
        precision, recall, _ = precision_recall_curve(positive, scores)
        return recall, precision, f"AP {average_precision_score(positive, scores):.3f}"

    return _curves(predictions, targets, names, path, curve, "recall", "precision", "")


def _curves(
    predictions: Any, targets: Any, names: Sequence[Any], path: Any, curve: Callable, xlabel: str, ylabel: str,
    chance: str,
) -> Figure:  # fmt: skip
    found = Classes(predictions, targets, names)
    drawn = list(_sides(found))
    if not drawn:
        raise DataError("a curve needs examples of at least two classes; all labels are the same")
    import matplotlib

    from compose.plots.figure import Picture, quiet

    figure = Picture(5.2 if len(drawn) > 1 else 4.2, 3.8)
    ax = figure.subplots()
    if chance:
        ax.plot([0, 1], [0, 1], color="#bbbbbb", linestyle=":")
    colors = matplotlib.colormaps["tab10" if len(drawn) <= MOST else "viridis"]
    for i, (name, positive, scores) in enumerate(drawn):
        x, y, area = curve(positive, scores)
        color = colors(i if len(drawn) <= MOST else i / (len(drawn) - 1))
        label = f"{name}: {area}" if len(drawn) > 1 else area
        ax.plot(x, y, color=color, label=label if i < MOST else None, drawstyle="default" if chance else "steps-post")
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    if len(drawn) > 1:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    else:
        ax.legend(frameon=False)
    quiet(ax)
    return figure.to(path)


def _sides(found: Any) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The class, which examples are in it, and their scores, for each class that has examples in it and outside."""
    classes = range(len(found.names))
    for i in classes if len(classes) > 2 else classes[1:]:
        positive = found.labels == i
        if positive.any() and not positive.all():
            # of two classes, what is between them decides, for logits as for probabilities
            scores = found.scores[:, i] - (found.scores[:, 0] if len(classes) == 2 else 0)
            yield found.names[i], positive, scores
