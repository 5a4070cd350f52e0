"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.window import explicit_padding
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.dense import adapted
from compose.port.frontends.keras.rules.elementwise import activation
from compose.port.lowering.values import GraphValue


@rule("keras.ops.ExtractPatches")
def _patches(walk, op, x):
    if layout(op) or one(op.dilation_rate) != 1:
        raise PortError("patches of images whose channels are last, without dilation")
    sizes = _for_each(2, op.size)
    channels = walk.given.shape[-1]
    stride = one(op.size if op.strides is None else op.strides)
    padding = {} if op.padding == "valid" else {"padding": op.padding}
    y = walk.emit(word("unfold")(one(sizes), stride=stride, **padding), x)  # the values of one channel together
    y = walk.emit(word("unflatten")(axis=-1, shape=(channels, math.prod(sizes))), y)
    return walk.emit(word("flatten")(start=3), walk.emit(word("permute")(0, 1, 2, 4, 3), y))


@rules("keras.layers.Conv1DTranspose", "keras.layers.Conv2DTranspose", "keras.layers.Conv3DTranspose")
def _conv_transpose(walk, layer, x):
    rank = len(layer.kernel_size)
    made = word("conv_transpose")(
        layer.filters, one(layer.kernel_size), activation(layer.activation), stride=one(layer.strides),
        dilation=one(layer.dilation_rate), bias=layer.use_bias, **_cut(layer, layer.kernel_size), **layout(layer),
    )  # fmt: skip
    return walk.emit(made, x, weights={"kernel": _turned(walk, layer.kernel, rank), "bias": layer.bias})


@rule("keras.ops.ConvTranspose")
def _conv_transpose_function(walk, op, x, kernel):
    _expect_weight(kernel)
    *sizes, filters, _ = kernel.shape
    made = word("conv_transpose")(
        filters, one(sizes), stride=one(op.strides), dilation=one(op.dilation_rate), bias=False, **_cut(op, sizes),
        **layout(op),
    )  # fmt: skip
    return walk.emit(made, x, weights={"kernel": _turned(walk, kernel, len(sizes))})


def _turned(walk: Any, kernel: Any, rank: int) -> Any:
    axes = (*range(rank), rank + 1, rank)
    return walk.view(kernel, axes=axes, flip=tuple(range(rank)), note="HWOI→HWIO, turned")


def _expect_weight(kernel: Any) -> None:
    if not isinstance(kernel, keras.Variable):
        raise PortError("a kernel that is a weight as it is stored, got one that the model computes")


def _cut(layer: Any, sizes: Sequence[int]) -> dict[str, Any]:
    """Keras's padding; explicit widths where `output_padding` is given."""
    if layer.output_padding is None:
        return {"padding": layer.padding}
    extra, gaps = (_for_each(len(sizes), v) for v in (layer.output_padding, layer.dilation_rate))
    if layer.padding == "valid":
        return {"padding": 0, "output_padding": one(extra)}
    cuts = []
    for kernel, dilation, more in zip(sizes, gaps, extra):
        span = (kernel - 1) * dilation + 1
        around = span + span % 2 - 2 + more
        left = min(-(-around // 2), span - 1)
        cuts.append((span - 1 - left, span - 1 - (around - left)))
    return {"padding": tuple(cuts)}


@rules("keras.layers.SeparableConv1D", "keras.layers.SeparableConv2D")
def _separable(walk, layer, x):
    made = word("separable_conv")(
        layer.filters, one(layer.kernel_size), activation(layer.activation), multiplier=layer.depth_multiplier,
        stride=one(layer.strides), padding=layer.padding, dilation=one(layer.dilation_rate), bias=layer.use_bias,
        **layout(layer),
    )  # fmt: skip
    weights = {
        "depthwise/kernel": _of_each_channel(walk, layer.depthwise_kernel),
        "pointwise/kernel": layer.pointwise_kernel,
        "pointwise/bias": layer.bias,
    }
    return walk.emit(made, x, weights=weights)


def _for_each(axes: int, value: Any) -> tuple[int, ...]:
    """One number for each of so many axes."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def one(value: Any) -> Any:
    """One int for a tuple of equal sizes."""
    made = (value,) if isinstance(value, (int, str)) else tuple(value)
    return made[0] if len(set(made)) == 1 else made


def layout(layer: Any) -> dict[str, bool]:
    """The option for channels that are not last."""
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
    return walk.emit(made, x, weights={"kernel": _of_each_channel(walk, layer.kernel), "bias": layer.bias})


@rule("keras.ops.DepthwiseConv")
def _depthwise_function(walk, op, x, kernel):
    _expect_weight(kernel)
    *sizes, _, multiplier = kernel.shape
    made = word("depthwise_conv")(
        one(sizes), multiplier=multiplier, stride=one(op.strides), padding=op.padding, dilation=one(op.dilation_rate),
        bias=False, **layout(op),
    )  # fmt: skip
    return walk.emit(made, x, weights={"kernel": _of_each_channel(walk, kernel)})


def _of_each_channel(walk: Any, kernel: Any) -> Any:
    shape = (*kernel.shape[:-2], 1, kernel.shape[-2] * kernel.shape[-1])
    return walk.view(kernel, shape=shape, note="HWCM→HW1(CM)")


@rule("keras.ops.Conv")
def _conv_function(walk, op, x, kernel):
    if isinstance(kernel, GraphValue):
        return _convolved(walk, op, x, kernel)
    _expect_weight(kernel)
    made = word("conv")(
        kernel.shape[-1], one(kernel.shape[:-2]), stride=one(op.strides), padding=op.padding,
        dilation=one(op.dilation_rate), groups=_channels(walk, op) // kernel.shape[-2], bias=False, **layout(op),
    )  # fmt: skip
    return walk.emit(made, x, weights={"kernel": kernel})


def _convolved(walk: Any, op: Any, x: GraphValue, kernel: GraphValue) -> GraphValue:
    """A convolution with another value."""
    space, sizes = x.shape[1:-1], kernel.shape[:-2]
    steps, gaps = (_for_each(len(sizes), v) for v in (op.strides, op.dilation_rate))
    if layout(op) or None in space:
        raise PortError("a convolution with a value along axes of known length, the channels last")
    widths = explicit_padding(op.padding, space, sizes, steps, gaps)
    if any(map(any, widths)):
        padded = (x.shape[0], *(n + sum(w) for n, w in zip(space, widths)), x.shape[-1])
        x = walk.emit(word("pad")(tuple(widths)), x, shape=padded)
    options = {"stride": one(steps), "dilation": one(gaps), "groups": x.shape[-1] // kernel.shape[-2]}
    return walk.emit(word("convolve_with")(**{k: v for k, v in options.items() if v != 1}), x, kernel)


def _channels(walk: Any, op: Any) -> int:
    return walk.given.shape[1 if layout(op) else -1]
