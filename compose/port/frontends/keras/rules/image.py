"""Convolution, pooling and padding of Keras."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rules
from compose.port.frontends.keras.rules.core import activation, adapted


def one(value: Any) -> Any:
    """Keras's tuple of equal sizes as one int."""
    made = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return made[0] if len(set(made)) == 1 else made


def layout(layer: Any) -> dict[str, bool]:
    """The option that says where a layer has its channels; none where they are last."""
    return {"channels_first": True} if getattr(layer, "data_format", None) == "channels_first" else {}


@rules("keras.layers.Conv1D", "keras.layers.Conv2D", "keras.layers.Conv3D")
def _conv(walk, layer, x):
    made = word("conv")(
        layer.filters, one(layer.kernel_size), activation(layer.activation), stride=one(layer.strides),
        padding=layer.padding, dilation=one(layer.dilation_rate), groups=layer.groups, bias=layer.use_bias,
        **layout(layer),
    )  # fmt: skip
    if layer.lora_enabled:
        if layout(layer):
            raise PortError("LoRA of a convolution whose channels are last")
        return adapted(walk, layer, made.but(activation=word("identity"), bias=False), x)
    return walk.emit(made, x, weights={"kernel": layer.kernel, "bias": layer.bias})


@rules("keras.layers.DepthwiseConv1D", "keras.layers.DepthwiseConv2D")
def _depthwise(walk, layer, x):
    made = word("depthwise_conv")(
        one(layer.kernel_size), activation(layer.activation), multiplier=layer.depth_multiplier,
        stride=one(layer.strides), padding=layer.padding, dilation=one(layer.dilation_rate), bias=layer.use_bias,
        **layout(layer),
    )  # fmt: skip
    kernel = layer.kernel
    shape = (*kernel.shape[:-2], 1, kernel.shape[-2] * kernel.shape[-1])
    take = walk.take(kernel, shape=shape, note="HWCM→HW1(CM)")
    return walk.emit(made, x, weights={"kernel": take, "bias": layer.bias})


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
    """The mean of the steps that a mask `(batch, time)` lets through."""
    first = options.pop("channels_first", False)
    real = walk.emit(word("expand_dims")(axis=1 if first else 2), mask)
    total = word("sum")(axis=2 if first else 1, **options)
    return walk.emit(word("divide"), walk.emit(total, walk.emit(word("multiply"), x, real)), walk.emit(total, real))


@rules(*(f"keras.layers.Adaptive{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def _adaptive_pool(walk, layer, x):
    made = word("adaptive_max_pool" if "Max" in type(layer).__name__ else "adaptive_avg_pool")
    size = layer.output_size
    return walk.emit(made(one(size), **layout(layer)), x)


@rules(*(f"keras.layers.ZeroPadding{n}D" for n in (1, 2, 3)))
def _zero_padding(walk, layer, x):
    padding = layer.padding if isinstance(layer.padding[0], (tuple, list)) else (layer.padding,)
    return walk.emit(word("pad")(tuple(tuple(p) for p in padding), **layout(layer)), x)
