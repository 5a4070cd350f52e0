"""What `fit`, `evaluate` and `predict` accept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from numpy.typing import ArrayLike

from compose.data.dataset import Dataset
from compose.train.metrics.metric import Metric

Data = ArrayLike | jax.Array | tuple[Any, ...] | dict[str, Any] | Dataset  # an array, or a tuple or dict of arrays
LossLike = str | Callable[..., Any]
Losses = LossLike | Mapping[str, LossLike] | Sequence[LossLike]  # one, or one for each output
MetricLike = str | Metric | Callable[..., Any]
Metrics = MetricLike | Sequence[MetricLike] | Mapping[str, MetricLike | Sequence[MetricLike]]
ClassWeight = str | Mapping[int, float] | Sequence[float]  # "balanced", or the weight of each class
OptimizerLike = str | optax.GradientTransformation
Precision = str | np.dtype | type | None  # "bfloat16", "float16", or one of these dtypes
Rate = float | Callable[[Any], Any]  # a number, or an optax schedule
