"""The figure that every plot draws on."""

from __future__ import annotations

import io
import os
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from compose.atomic import replacing
from compose.core.errors import ConfigError

COLORS = ("#1f6fd0", "#e0721d")  # training, and validation
FORMATS = ("png", "svg", "pdf")


class Picture(Figure):
    """A matplotlib figure apart from pyplot's global state, which a notebook shows as it is."""

    def __init__(self, width: float, height: float):
        super().__init__(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return self.data("png")

    def data(self, form: str) -> bytes:
        """The bytes of the image, which are the same for the same figure."""
        out = io.BytesIO()
        stamp = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}[form]
        self.savefig(out, format=form, dpi=120, metadata={stamp: None})
        return out.getvalue()

    def to(self, path: str | os.PathLike | None) -> Picture:
        """The figure, written to `path` unless that is None. Raises `ConfigError` for an unknown ending."""
        if path is not None:
            form = os.path.splitext(os.fspath(path))[1][1:].lower()
            if form not in FORMATS:
                raise ConfigError(f"a file that ends in {', '.join('.' + f for f in FORMATS)}", os.fspath(path))
            with replacing(path) as file:
                file.write(self.data(form))
        return self


def quiet(axes: Any) -> None:
    """Axes without the lines above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def panels(count: int, width: float, height: float, most: int = 3) -> tuple[Picture, list[Any]]:
    """A figure with so many axes of that size each, at most so many in a row."""
    columns = min(count, most)
    rows = -(-count // columns)
    figure = Picture(width * columns, height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]
