"""The filters of a network's first layer."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.core.errors import DataError
from compose.core.plan import plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 64


def first_kernel(trained: Any) -> np.ndarray | None:
    """The first kernel of a network as `(height, width, 1 or 3, filters)`; None if it does not look at an image."""
    planned = plan(trained.net, trained.inputs)
    path = next(_kernels(planned.params), None)
    return None if path is None else as_filters(functools.reduce(operator.getitem, path, trained.params))


def as_filters(kernel: Any) -> np.ndarray | None:
    """A kernel of a convolution, or `(side², filters)`, as `(height, width, 1 or 3, filters)`, else None.

    Of several channels that are not colours the mean is taken.
    """
    kernel = np.asarray(kernel, float)
    if kernel.ndim == 4 and max(kernel.shape[:2]) > 1:
        return kernel if kernel.shape[2] in (1, 3) else kernel.mean(2, keepdims=True)
    side = round(kernel.shape[0] ** 0.5) if kernel.ndim == 2 else 0
    return kernel.reshape(side, side, 1, -1) if side >= 8 and side * side == len(kernel) else None


def filters(trained: Any, path: str | os.PathLike | None = None) -> Figure:
    """The first kernel as pictures: red is positive, blue negative; in colour if its inputs are.

    Args:
        trained: a `Trained`, or a kernel `(height, width, channels, filters)`. The kernel `(side², filters)` of a dense
            layer on pixels counts too, with 8 pixels or more a side.
        path: a file to write.

    Raises `DataError` if the first kernel does not look at an image.
    """
    kernel = as_filters(trained) if hasattr(trained, "shape") else first_kernel(trained)
    if kernel is None:
        raise DataError(
            "no filters to draw: the first kernel is not (height, width, channels, filters) or (side², out)"
        )
    from compose.plots.figure import panels

    figure, axes = panels(min(kernel.shape[3], MOST), 0.75, 0.75, most=8 if kernel.shape[3] <= 32 else 12)
    largest = float(np.abs(kernel).max()) or 1.0
    for i, ax in enumerate(axes):
        one = kernel[..., i]
        if one.shape[2] == 3:
            ax.imshow(one / (2 * largest) + 0.5)
        else:
            ax.imshow(one[..., 0], cmap="RdBu_r", vmin=-largest, vmax=largest)
        ax.set_axis_off()
    return figure.to(path)


def _kernels(params: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the kernels, in the order in which the layers run."""
    for name, value in params.items():
        if isinstance(value, dict):
            yield from _kernels(value, (*path, name))
        elif name == "kernel":
            yield (*path, name)
