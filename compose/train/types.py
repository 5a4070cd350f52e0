"""What `fit`, `evaluate` and `predict` accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from numpy.typing import ArrayLike

Data = ArrayLike | jax.Array | tuple[Any, ...] | dict[str, Any]  # an array, or a tuple or dict of arrays
LossLike = str | Callable[[Any, Any], Any]
MetricLike = str | Callable[[Any, Any], Any]
OptimizerLike = str | optax.GradientTransformation
Precision = str | np.dtype | type | None  # "bfloat16", "float16", or one of these dtypes
Rate = float | Callable[[Any], Any]  # a number, or an optax schedule
