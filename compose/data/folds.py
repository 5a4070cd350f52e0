"""The division of examples into folds, for cross-validation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from compose.core.errors import DataError
from compose.data.dataset import groups_of


def folds(
    y: Any, folds: int = 5, *, seed: int = 0, stratify: bool | None = None, groups: Any = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows to train on and the rows to test on, for each fold: every example is tested on once.

    Args:
        y: the targets, `(n, ...)`.
        folds: how many.
        seed: of the random order; the same seed gives the same folds.
        stratify: keep the proportion of every class; needs labels `(n,)`. None does so where `y` are labels, each of
            which there are enough of, and there are no groups.
        groups: a group for each example, such as the patient that it is of: examples of one group stay together.

    Raises `DataError` if the examples cannot be divided so. Elsewhere: scikit-learn `KFold`, `StratifiedKFold`,
    `GroupKFold`, `StratifiedGroupKFold`.

    >>> for train, test in folds([0, 1, 0, 1], 2):
    ...     print(len(train), len(test))
    2 2
    2 2
    """
    from sklearn import model_selection

    y = np.asarray(y)
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise DataError(f"expected at least 2 folds, got {folds!r}")
    n = len(y) if y.ndim else 0
    if n < folds:
        raise DataError(f"expected at least {folds} examples for {folds} folds, got {n}")
    labels = y.ndim == 1 and y.dtype.kind in "iub"
    if stratify and not labels:
        raise DataError(f"expected labels to stratify by, got {y.dtype} of shape {y.shape}; pass stratify=False")
    if stratify is None:
        stratify = labels and groups is None and np.unique(y, return_counts=True)[1].min() >= folds
    if groups is not None:
        groups = groups_of(groups, n)
        made = model_selection.StratifiedGroupKFold if stratify else model_selection.GroupKFold
    else:
        made = model_selection.StratifiedKFold if stratify else model_selection.KFold
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # a class with fewer examples than folds
            return list(made(folds, shuffle=True, random_state=seed).split(np.zeros(n), y, groups))
    except (ValueError, UserWarning) as e:
        raise DataError(f"cannot divide {n} examples into {folds} folds: {e}") from None
