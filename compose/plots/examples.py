"""The examples that a network gets most wrong, with their pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.core.errors import DataError
from compose.plots.classes import Classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def worst(
    x: Any,
    predictions: Any,
    targets: Any,
    names: Sequence[Any] = (),
    count: int = 12,
    threshold: float | None = None,
    path: str | os.PathLike | None = None,
) -> Figure:
    """The examples whose true class has the lowest score compared with the predicted one, worst first.

    Args:
        x: images `(n, height, width)`, `(n, height, width, 1 or 3)`, or `(n, side²)` with 8 or more
            a side; other examples are drawn as lines.
        predictions: `(n, classes)`, or `(n,)` or `(n, 1)` for class 1 of two.
        targets: labels `(n,)`, or one-hot `(n, classes)`.
        names: the names of the classes.
        count: how many; fewer if fewer are wrong.
        threshold: as in `confusion`.
        path: a file to write.

    Raises `DataError` if they do not fit each other. Elsewhere: fastai `plot_top_losses`.
    """
    found, pictures = Classes(predictions, targets, names, threshold), np.asarray(x)
    if pictures.ndim < 2 or len(pictures) != len(found):
        raise DataError(f"expected an example for each of {len(found)} predictions; got {pictures.shape}")
    rows = np.arange(len(found))
    short = found.scores[rows, found.guesses] - found.scores[rows, found.labels]
    order = np.argsort(-short, kind="stable")[:count]
    order = order[short[order] > 0]
    from compose.plots.figure import Picture, panels

    if not len(order):
        figure = Picture(4, 1)
        figure.text(0.5, 0.5, "every prediction is right", ha="center", va="center")
        return figure.to(path)
    figure, axes = panels(len(order), 1.5, 1.75, most=6)
    for ax, i in zip(axes, order):
        _draw(ax, pictures[i])
        ax.set_title(f"{found.names[found.labels[i]]}, taken for\n{found.names[found.guesses[i]]}", fontsize=8)
    return figure.to(path)


def _draw(ax: Any, example: np.ndarray) -> None:
    """An example as an image, or as a line."""
    image = as_image(example)
    if image is not None:
        low, high = float(image.min()), float(image.max())
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        if image.ndim == 3:
            image = (image - low) / ((high - low) or 1.0)
        ax.imshow(image, cmap="gray", vmin=low, vmax=high)
        ax.set_axis_off()
    else:
        ax.plot(example.reshape(len(example), -1))
        ax.tick_params(labelsize=6)


def as_image(example: np.ndarray) -> np.ndarray | None:
    """An example as `(height, width)` or `(height, width, 3)`; None if it is no image."""
    example = np.asarray(example, float)
    if example.ndim == 3 and example.shape[-1] == 1:
        return example[..., 0]
    if (example.ndim == 3 and example.shape[-1] == 3) or (example.ndim == 2 and min(example.shape) > 3):
        return example
    side = round(example.size**0.5)
    return example.reshape(side, side) if example.ndim == 1 and side >= 8 and side * side == example.size else None
