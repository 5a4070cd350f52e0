"""Metrics: `fit(..., metrics="accuracy")`, or with options `metrics=metrics.top_k(5)`.

Each is computed over the whole data, as scikit-learn does, not as a mean over batches. Any function of (predictions,
targets) is one too; the mean of its values is reported.
"""

from compose.train.metrics.counts import accuracy, binary_accuracy, confusion, f1, precision, recall, top_k
from compose.train.metrics.metric import Metric, metric
from compose.train.metrics.numbers import mae, mse, r2, rmse
from compose.train.metrics.ranking import auc, average_precision

__all__ = [
    "Metric",
    "accuracy",
    "auc",
    "average_precision",
    "binary_accuracy",
    "confusion",
    "f1",
    "mae",
    "metric",
    "mse",
    "precision",
    "r2",
    "recall",
    "rmse",
    "top_k",
]
