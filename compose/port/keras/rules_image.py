"""Convolution, pooling, normalisation and resizing of Keras, channels last."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.keras.rules_core import activation
from compose.port.rules import rule, rules


def one(value: Any) -> Any:
    """Keras's tuple of equal sizes as one int."""
    made = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return made[0] if len(set(made)) == 1 else made


def last(layer: Any) -> None:
    """Raise unless the channels are last."""
    if layer.data_format != "channels_last":
        raise PortError('channels last; set data_format="channels_last" in the Keras model')


@rules("keras.layers.Conv1D", "keras.layers.Conv2D", "keras.layers.Conv3D")
def _conv(walk, layer, x):
    last(layer)
    made = word("conv")(
        layer.filters, one(layer.kernel_size), activation(layer.activation), stride=one(layer.strides),
        padding=layer.padding, dilation=one(layer.dilation_rate), groups=layer.groups, bias=layer.use_bias,
    )  # fmt: skip
    return walk.emit(made, x, weights={"kernel": layer.kernel, "bias": layer.bias})


@rules("keras.layers.DepthwiseConv1D", "keras.layers.DepthwiseConv2D")
def _depthwise(walk, layer, x):
    last(layer)
    made = word("depthwise_conv")(
        one(layer.kernel_size), activation(layer.activation), multiplier=layer.depth_multiplier,
        stride=one(layer.strides), padding=layer.padding, dilation=one(layer.dilation_rate), bias=layer.use_bias,
    )  # fmt: skip
    kernel = layer.kernel
    shape = (*kernel.shape[:-2], 1, kernel.shape[-2] * kernel.shape[-1])
    take = walk.take(kernel, shape=shape, note="HWCM→HW1(CM)")
    return walk.emit(made, x, weights={"kernel": take, "bias": layer.bias})


@rule("keras.layers.BatchNormalization")
def _batch_norm(walk, layer, x):
    rank = len(layer._build_shapes_dict["input_shape"])
    if layer.axis not in (-1, rank - 1):
        raise PortError(f"batch normalisation of the last axis, got axis={layer.axis}")
    made = word("batch_norm")(
        momentum=float(layer.momentum), epsilon=float(layer.epsilon), scale=layer.scale, bias=layer.center
    )
    return walk.emit(
        made, x,
        weights={"scale": layer.gamma if layer.scale else None, "bias": layer.beta if layer.center else None},
        state={"mean": layer.moving_mean, "var": layer.moving_variance},
    )  # fmt: skip


@rule("keras.layers.LayerNormalization")
def _layer_norm(walk, layer, x):
    rank = len(layer._build_shapes_dict["input_shape"])
    axes = [a % rank for a in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)]
    if axes != list(range(rank - len(axes), rank)):
        raise PortError(f"layer normalisation of the last axes, got axis={layer.axis}")
    made = word("layer_norm")(axes=len(axes), epsilon=float(layer.epsilon), scale=layer.scale, bias=layer.center)
    return walk.emit(made, x, weights={"scale": layer.gamma, "bias": layer.beta})


@rules(*(f"keras.layers.{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def _pool(walk, layer, x):
    last(layer)
    stride = one(layer.strides)
    window = one(layer.pool_size)
    options = {} if stride == window else {"stride": stride}
    if layer.padding != "valid":
        options["padding"] = layer.padding
    if type(layer).__name__.startswith("Max"):
        return walk.emit(word("max_pool")(window, **options), x)
    if layer.padding != "valid":
        options["count_padding"] = False
    return walk.emit(word("avg_pool")(window, **options), x)


@rules(*(f"keras.layers.Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def _global_pool(walk, layer, x):
    last(layer)
    made = word("global_max_pool" if "Max" in type(layer).__name__ else "global_avg_pool")
    return walk.emit(made(keepdims=True) if layer.keepdims else made, x)


@rules(*(f"keras.layers.ZeroPadding{n}D" for n in (1, 2, 3)))
def _zero_padding(walk, layer, x):
    padding = layer.padding if isinstance(layer.padding[0], (tuple, list)) else (layer.padding,)
    return walk.emit(word("pad")(tuple(tuple(p) for p in padding)), x)
