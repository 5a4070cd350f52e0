"""Pooling."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.frontends.tensorflow.registry import rules
from compose.port.frontends.tensorflow.rules.conv import is_flattened, last, one, padding_of, spatial


@rules("tf.MaxPool", "tf.AvgPool")
def _pool(low, op, x):
    last(op)
    time = is_flattened(x) and op.get_attr("ksize")[1] == 1
    x = x if time else low.whole(x)
    layer = pooled(op, 1 if time else 0)
    return low.emit(layer, x, ours=(low.shape[0], *low.shape[2:]) if time else None)


def pooled(op: Any, start: int = 0) -> Any:
    """The pooling layer over the spatial axes from `start` on."""
    size, stride = (one(spatial(op, name)[start:]) for name in ("ksize", "strides"))
    padding = padding_of(op) if op.type == "MaxPool" else op.get_attr("padding").decode().lower()
    padding = padding[start:] if isinstance(padding, tuple) else padding
    options: dict[str, Any] = {} if stride == size else {"stride": stride}
    options |= {} if padding == "valid" else {"padding": padding}
    options |= {"count_padding": False} if op.type.startswith("Avg") and padding != "valid" else {}
    return word("max_pool" if op.type.startswith("Max") else "avg_pool")(size, **options)
