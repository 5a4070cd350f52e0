"""Plots of a training and of what a network predicts.

Each returns a matplotlib figure, which notebooks show, and writes it to a file if it is given a `path`. matplotlib and
scikit-learn are imported when a plot is drawn.
"""

from compose.plots.curves import precision_recall, roc
from compose.plots.embeddings import embeddings
from compose.plots.examples import worst
from compose.plots.filters import filters
from compose.plots.history import history, turning_point
from compose.plots.matrix import confusion
from compose.plots.numbers import residuals

__all__ = [
    "confusion", "embeddings", "filters", "history", "precision_recall", "residuals", "roc", "turning_point", "worst",
]  # fmt: skip
