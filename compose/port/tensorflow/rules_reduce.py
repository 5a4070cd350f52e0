"""What becomes less along axes: means, sums and extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.rules import rules

_REDUCE = {"Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Prod": "prod"}


@rules(*(f"tf.{name}" for name in _REDUCE))
def _reduce(low, op, x, axes):
    x = low.whole(x)
    kept = op.get_attr("keep_dims")
    dims = sorted(int(a) % x.ndim for a in np.ravel(axes))
    if not dims:
        return x
    options: dict[str, Any] = {"keepdims": True} if kept else {}
    space = x.ndim > 2 and dims == list(range(1, x.ndim - 1)) and op.type in ("Mean", "Max")
    if space:
        layer = word("global_avg_pool" if op.type == "Mean" else "global_max_pool")
        return low.emit(layer(**options) if options else layer, x)
    dims = [a - x.ndim if a == x.ndim - 1 else a for a in dims]
    return low.emit(word(_REDUCE[op.type])(axis=tuple(dims) if len(dims) > 1 else dims[0], **options), x)
