"""The confusion matrix: how often each class is taken for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.plots.classes import Classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 20  # classes whose cells have room for numbers


def confusion(
    predictions: Any,
    targets: Any,
    names: Sequence[Any] = (),
    threshold: float | None = None,
    path: str | os.PathLike | None = None,
) -> Figure:
    """The number of examples of each true class (rows) by predicted class (columns), coloured by the share of the row.

    Args:
        predictions: `(n, classes)`, or `(n,)` or `(n, 1)` for class 1 of two.
        targets: labels `(n,)`, or one-hot `(n, classes)`.
        names: the names of the classes.
        threshold: above which predictions of one column are class 1: None for 1/2 if all are in 0..1, else 0.
        path: a file to write.

    Raises `DataError` if they do not fit each other. Elsewhere: scikit-learn `ConfusionMatrixDisplay`.
    """
    found = Classes(predictions, targets, names, threshold)
    from sklearn.metrics import confusion_matrix

    from compose.plots.figure import Picture

    classes = len(found.names)
    counts = confusion_matrix(found.labels, found.guesses, labels=range(classes))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(max(3.6, 0.42 * classes + 1.6), 9.0)
    figure = Picture(side + 0.4, side)
    ax = figure.subplots()
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if classes <= LARGEST:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[i, j] > 0.5 else "black"
                ax.text(j, i, f"{count:,}", ha="center", va="center", color=color, fontsize=8)
        turned = max(map(len, found.names)) > 3
        ax.set_xticks(range(classes), found.names, rotation=45 if turned else 0, ha="right" if turned else "center")
        ax.set_yticks(range(classes), found.names)
    right = float((found.labels == found.guesses).mean())
    ax.set(xlabel="predicted", ylabel="true", title=f"{right:.1%} of {len(found):,} right")
    ax.title.set_fontsize(10)
    return figure.to(path)
