"""Predicted numbers beside the true ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def residuals(predictions: Any, targets: Any, unit: str = "", path: str | os.PathLike | None = None) -> Figure:
    """Predictions over targets, and the distribution of the residuals, targets minus predictions, with RMSE and R².

    Args:
        predictions, targets: numbers of the same shape, or `(n, 1)` and `(n,)`.
        unit: the unit of the numbers.
        path: a file to write.

    Raises `DataError` if their numbers differ. Elsewhere: scikit-learn `PredictionErrorDisplay`.
    """
    got, true = np.asarray(predictions, float), np.asarray(targets, float)
    squeezed = lambda a: a[..., 0] if a.ndim > 1 and a.shape[-1] == 1 else a
    got, true = squeezed(got), squeezed(true)
    if got.shape != true.shape or not got.size:
        raise DataError(f"expected as many predictions as targets; got {np.shape(predictions)} and {np.shape(targets)}")
    from compose.plots.figure import COLORS, panels, quiet

    got, true = got.ravel(), true.ravel()
    left = true - got
    rmse, spread = float(np.sqrt(np.mean(left**2))), float(np.mean((true - true.mean()) ** 2))
    of = f" ({unit})" if unit else ""
    figure, (ax, bars) = panels(2, 4.2, 3.6)
    ax.scatter(true, got, s=float(np.clip(4000 / len(true), 3, 20)), alpha=0.6, linewidths=0, color=COLORS[0])
    low, high = min(true.min(), got.min()), max(true.max(), got.max())
    ax.plot([low, high], [low, high], color="#888888", linestyle=":")
    r2 = f", R² {1 - np.mean(left**2) / spread:.3f}" if spread else ""
    ax.set(xlabel=f"true{of}", ylabel=f"predicted{of}")
    ax.set_title(f"RMSE {rmse:.4g}{' ' + unit if unit else ''}{r2}", fontsize=10)
    bars.hist(left, bins=min(40, max(8, round(len(left) ** 0.5))), color=COLORS[0], alpha=0.8)
    bars.axvline(0, color="#888888", linestyle=":")
    bars.set(xlabel=f"true minus predicted{of}", ylabel="examples")
    quiet(ax)
    quiet(bars)
    return figure.to(path)
