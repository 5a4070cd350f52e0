"""How a training went: each score over the epochs, training beside validation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compose.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PATIENCE = 3  # epochs without a lower validation loss


def turning_point(rows: Sequence[dict[str, float]]) -> int | None:
    """The epoch with the lowest validation loss, if three or more came after it; None otherwise.

    Where the training loss falls on after it, the network learns the examples by heart.

    >>> turning_point([{"epoch": n, "val_loss": v} for n, v in enumerate((3.0, 2.0, 2.5, 2.4, 2.7), 1)])
    2
    """
    losses = [(row["val_loss"], int(row["epoch"])) for row in rows if np.isfinite(row.get("val_loss", np.nan))]
    epoch = min(losses)[1] if losses else 0
    return epoch if losses and losses[-1][1] - epoch >= PATIENCE else None


def history(rows: Any, path: str | os.PathLike | None = None) -> Figure:
    """A panel for each score over the epochs, and a line in all at the lowest validation loss, where it turns.

    Args:
        rows: the history of a training, a sequence of dicts, or the `Trained` itself.
        path: a file to write.

    Raises `DataError` if there is no history.
    """
    rows = list(getattr(rows, "history", rows))
    if not rows:
        raise DataError("there is no history to plot: the network comes from a file without one, or was not trained")
    from compose.plots.figure import COLORS, panels, quiet

    named = dict.fromkeys(name for row in rows for name in row if name not in ("epoch", "seconds"))
    names = list(dict.fromkeys(name.removeprefix("val_") for name in named))
    figure, axes = panels(len(names), 4.4, 3.2)
    turn = turning_point(rows)
    for ax, name in zip(axes, names):
        for key, label, color in ((name, "training", COLORS[0]), (f"val_{name}", "validation", COLORS[1])):
            points = [(row["epoch"], row[key]) for row in rows if key in row]
            if points:
                epochs, values = zip(*points)
                ax.plot(epochs, values, color=color, label=label, marker="." if len(points) < 30 else None)
        if turn is not None:
            ax.axvline(turn, color="#888888", linestyle=":", label=f"lowest validation loss: epoch {turn}")
        ax.set(xlabel="epoch", ylabel=name)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if len(ax.get_lines()) > 1:
            ax.legend(frameon=False, fontsize=8)
        quiet(ax)
    return figure.to(path)
