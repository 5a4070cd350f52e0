"""Vectors in two dimensions, by principal components."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 30  # points that have their names beside them


def embeddings(
    vectors: Any, labels: Any = None, names: Sequence[Any] = (), path: str | os.PathLike | None = None
) -> Figure:
    """The two directions in which the vectors vary most (PCA), with the share of the variance in each.

    Args:
        vectors: `(n, size)`, such as the output of a hidden layer or the table of an `embedding`.
        labels: the class `(n,)` of each, which colours it; or the word for each, which is written beside it.
        names: the names of the classes.
        path: a file to write.

    Raises `DataError` if there are not two vectors of two numbers. Elsewhere: scikit-learn `PCA`.
    """
    table = np.asarray(vectors, float)
    table = table.reshape(len(table), -1) if table.ndim > 1 else table
    if table.ndim != 2 or min(table.shape) < 2:
        raise DataError(f"expected at least two vectors of at least two numbers; got {np.shape(vectors)}")
    kinds = None if labels is None else np.asarray(labels)
    if kinds is not None and kinds.shape != table.shape[:1]:
        raise DataError(f"expected a label for each of {len(table)} vectors; got {kinds.shape}")
    from sklearn.decomposition import PCA

    from compose.plots.figure import Picture, quiet

    pca = PCA(2, svd_solver="full")
    points = pca.fit_transform(table)
    figure = Picture(5.6, 4.2)
    ax = figure.subplots()
    size = float(np.clip(2000 / len(table), 4, 36))
    if kinds is None or kinds.dtype.kind not in "biu":
        ax.scatter(*points.T, s=size)
        for point, word in zip(points, () if kinds is None else kinds[:MOST]):
            ax.annotate(str(word), point, xytext=(3, 3), textcoords="offset points", fontsize=8)
    else:
        known = np.unique(kinds)
        for i, kind in enumerate(known):
            color = f"C{i}" if len(known) <= 10 else None
            name = names[kind] if len(names) > kind >= 0 else kind
            ax.scatter(*points[kinds == kind].T, s=size, color=color, alpha=0.7, linewidths=0, label=str(name))
        figure.legend(loc="outside right upper", frameon=False, fontsize=8, markerscale=max(1.0, 6 / size**0.5))
    one, two = pca.explained_variance_ratio_
    ax.set(xlabel=f"first component, {one:.0%} of the variance", ylabel=f"second component, {two:.0%}")
    quiet(ax)
    return figure.to(path)
