"""Which scoring a loss takes."""

from __future__ import annotations

from typing import Any

from compose.core.layer import Layer
from compose.train.custom import CustomScoring, is_custom
from compose.train.scoring import Scoring


def scoring_of(net: Layer, inputs: Any, data: Any, loss: Any, metrics: Any, dtype: Any, **options: Any) -> Any:
    """`Scoring`, or `CustomScoring` for a loss that runs the network itself on what it makes of the data."""
    if is_custom(loss):
        metrics = tuple(metrics) if isinstance(metrics, list) else metrics
        return CustomScoring(net, inputs, data, loss, metrics=metrics, precision=dtype, **options)
    return Scoring(net, data, loss, metrics, dtype, **options)
