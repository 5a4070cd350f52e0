"""`Dataset`, arrays of examples and labels, and its split into training and test data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from compose.core.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with labels.

    Attributes:
        x: float32, one example per row; images are in 0..1, with their channels last.
        y: int32 labels, starting at 0.
        names: the name of each label.
    """

    x: np.ndarray
    y: np.ndarray
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Dataset(x={self.x.shape} {self.x.dtype}, y={self.y.shape} {self.y.dtype}, {len(self.names)} classes)"

    def rows(self, rows: Any) -> Self:
        """The examples at these indices."""
        x = tuple(a[rows] for a in self.x) if isinstance(self.x, tuple) else self.x[rows]
        return replace(self, x=x, y=self.y[rows])

    @property
    def flat(self) -> np.ndarray:
        """`x` with one vector per example: `(n, 28, 28, 1)` images as `(n, 784)`."""
        return self.x.reshape(len(self.x), -1)

    @property
    def one_hot(self) -> np.ndarray:
        """`y` as one-hot rows."""
        return one_hot(self.y, len(self.names))

    def split(self, test: float = 0.2, seed: int = 0, stratify: bool = True) -> Split:
        """See `compose.data.split`."""
        return split(self.x, self.y, test, seed, stratify, self.names)


class Split(NamedTuple):
    """Training and test data: `train, test = mnist()`, or by attribute."""

    train: Dataset
    test: Dataset


def split(
    x, y, test: float = 0.2, seed: int = 0, stratify: bool = True, names: tuple[str, ...] = (), groups=None
) -> Split:  # fmt: skip
    """Split examples at random; the same seed gives the same split.

    Args:
        test: the fraction of examples to test on, between 0 and 1.
        stratify: keep the proportion of every class in both parts; needs labels.
        groups: a group for each example, such as the patient that it is of: a group is in one part alone, `test` is a
            fraction of the groups, and `stratify` does not apply.

    Raises `DataError` if the lengths differ, or if a part or a class would be empty.

    >>> train, test = split(np.zeros((10, 4)), np.arange(10) % 2)
    >>> len(train), len(test)
    (8, 2)
    """
    from sklearn.model_selection import train_test_split

    x, y = np.asarray(x), np.asarray(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise DataError(f"expected as many labels as examples, got x {x.shape} and y {y.shape}")
    if not 0 < test < 1:
        raise DataError(f"expected a fraction of test examples between 0 and 1, got {test}")
    if groups is not None:
        return _by_group(x, y, test, seed, names, groups_of(groups, len(x)))
    if stratify and (y.ndim != 1 or y.dtype.kind not in "iub"):
        raise DataError(f"expected labels to stratify by, got {y.dtype} of shape {y.shape}; pass stratify=False")
    try:
        parts = train_test_split(x, y, test_size=test, random_state=seed, stratify=y if stratify else None)
    except ValueError as e:
        raise DataError(f"cannot split {len(x)} examples with test={test}, stratify={stratify}: {e}") from None
    x_train, x_test, y_train, y_test = map(np.asarray, parts)
    return Split(Dataset(x_train, y_train, names), Dataset(x_test, y_test, names))


def _by_group(x, y, test: float, seed: int, names: tuple[str, ...], groups: np.ndarray) -> Split:
    from sklearn.model_selection import GroupShuffleSplit

    try:
        made = GroupShuffleSplit(1, test_size=test, random_state=seed)
        train, held = next(made.split(np.zeros(len(x)), groups=groups))
    except ValueError as e:
        raise DataError(f"cannot split {len(np.unique(groups))} groups with test={test}: {e}") from None
    return Split(Dataset(x[train], y[train], names), Dataset(x[held], y[held], names))


def groups_of(groups: Any, n: int) -> np.ndarray:
    """A group for each of `n` examples. Raises `DataError` if there are not so many."""
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise DataError(f"expected a group for each of {n} examples, got an array of shape {groups.shape}")
    return groups


def one_hot(labels, classes: int) -> np.ndarray:
    """Labels `(...)` as float32 rows `(..., classes)`. Raises `DataError` if a label is out of range.

    >>> one_hot([1, 0], 3)
    array([[0., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub":
        raise DataError(f"expected integer labels, got {labels.dtype}")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise DataError(f"expected labels in 0..{classes - 1}, got {labels.min()}..{labels.max()}")
    return np.eye(classes, dtype=np.float32)[labels.astype(np.int64)]
