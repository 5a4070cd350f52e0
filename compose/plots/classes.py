"""Predictions and targets of classes, in the forms in which a network has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from compose.core.errors import DataError


class Classes:
    """Scores and labels of `n` examples.

    Predictions are scores or probabilities `(n, classes)`, or `(n,)` or `(n, 1)` for class 1 of two; targets are labels
    `(n,)`, one-hot rows `(n, classes)`, or `(n, 1)`. Scores of one column are of class 1 above `threshold`; None is
    1/2 if all are in 0..1, as probabilities are, else 0, as for logits.

    Attributes:
        scores: `(n, classes)`; higher means more likely.
        labels, guesses: `(n,)`, the true and the predicted classes.
        names: the name of each class.
    """

    def __init__(self, predictions: Any, targets: Any, names: Sequence[Any] = (), threshold: float | None = None):
        scores, labels = np.asarray(predictions), np.asarray(targets)
        if scores.dtype.kind not in "biuf" and scores.dtype.name != "bfloat16":
            raise DataError(f"predictions must be numbers; got {scores.dtype}")
        scores = scores.astype(float)
        if scores.ndim == 1 or scores.shape[1:] == (1,):
            scores = scores.reshape(len(scores), 1)
            if threshold is None:
                threshold = 0.5 if scores.size and scores.min() >= 0 and scores.max() <= 1 else 0.0
            scores = np.concatenate([2 * threshold - scores, scores], 1)
        if scores.ndim != 2:
            raise DataError(f"predictions of classes must have the shape (n, classes); got {scores.shape}")
        if labels.ndim == 2:
            labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(1)
        if labels.shape != scores.shape[:1] or not len(labels):
            raise DataError(f"expected one label for each of {len(scores)} predictions; got {np.shape(targets)}")
        if not np.isfinite(scores).all():
            raise DataError("predictions hold a number that is NaN or infinite")
        known = scores.shape[1]
        if not ((labels >= 0) & (labels < known) & (labels == np.floor(labels))).all():
            raise DataError(f"labels must be integers in 0..{known - 1}; got {labels.min()}..{labels.max()}")
        if len(names) not in (0, known):
            raise DataError(f"expected a name for each of {known} classes; got {len(names)}")
        self.scores, self.labels = scores, labels.astype(int)
        self.guesses = scores.argmax(1)
        self.names = [str(name) for name in names] or [str(i) for i in range(known)]

    def __len__(self) -> int:
        return len(self.labels)
