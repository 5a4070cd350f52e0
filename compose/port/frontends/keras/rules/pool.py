"""Pooling."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.frontends.keras.registry import rules
from compose.port.frontends.keras.rules.conv import layout, one


@rules(*(f"keras.layers.{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def _pool(walk, layer, x):
    stride = one(layer.strides)
    window = one(layer.pool_size)
    options: dict[str, Any] = layout(layer)
    options |= {} if stride == window else {"stride": stride}
    if layer.padding != "valid":
        options["padding"] = layer.padding
    if type(layer).__name__.startswith("Max"):
        return walk.emit(word("max_pool")(window, **options), x)
    if layer.padding != "valid":
        options["count_padding"] = False
    return walk.emit(word("avg_pool")(window, **options), x)


@rules(*(f"keras.layers.Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def _global_pool(walk, layer, x, mask=None):
    options: dict[str, Any] = layout(layer) | ({"keepdims": True} if layer.keepdims else {})
    if mask is not None:
        return _mean_of_real(walk, x, mask, options)
    made = word("global_max_pool" if "Max" in type(layer).__name__ else "global_avg_pool")
    return walk.emit(made(**options) if options else made, x)


def _mean_of_real(walk: Any, x: Any, mask: Any, options: dict[str, Any]) -> Any:
    """The mean over the steps that a mask `(batch, time)` keeps."""
    first = options.pop("channels_first", False)
    real = walk.emit(word("ops.expand_dims")(axis=1 if first else 2), mask)
    total = word("ops.sum")(axis=2 if first else 1, **options)
    return walk.emit(word("divide"), walk.emit(total, walk.emit(word("multiply"), x, real)), walk.emit(total, real))


@rules(*(f"keras.layers.Adaptive{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def _adaptive_pool(walk, layer, x):
    made = word("adaptive_max_pool" if "Max" in type(layer).__name__ else "adaptive_avg_pool")
    size = layer.output_size
    return walk.emit(made(one(size), **layout(layer)), x)


@rules("keras.ops.MaxPool", "keras.ops.AveragePool")
def _pool_function(walk, op, x):
    average = type(op).__name__ == "AveragePool"
    options: dict[str, Any] = layout(op) | {"padding": op.padding}
    if op.strides is not None and one(op.strides) != one(op.pool_size):
        options["stride"] = one(op.strides)
    if average and op.padding != "valid":
        options["count_padding"] = False
    if op.padding == "valid":
        del options["padding"]
    return walk.emit(word("avg_pool" if average else "max_pool")(one(op.pool_size), **options), x)
