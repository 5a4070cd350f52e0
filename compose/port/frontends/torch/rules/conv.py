"""Convolution, pooling and normalisation: what wants channels last."""

from __future__ import annotations

from typing import Any

import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.conv.conv import conv
from compose.layers.norm.batch import batch_norm, layer_norm
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import Value
from compose.port.lowering.windows import conv_padding, kernel_take, padded_axes, padding_word, per_axis, turned_take


@rules("aten.conv1d", "aten.conv2d", "aten.conv3d")
def _conv(low, node, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    x = low.channels_last(x)
    rank = x.ndim - 2
    if isinstance(padding, str):
        padding = _same(weight.shape[2:], per_axis(dilation, rank)) if padding == "same" else 0
    layer = conv(
        weight.shape[0], per_axis(weight.shape[2:], rank), stride=per_axis(stride, rank),
        padding=conv_padding(padding, weight.shape[2:], stride, dilation), dilation=per_axis(dilation, rank),
        groups=groups, bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": kernel_take(weight), "bias": bias})


def _same(kernel, dilation) -> tuple:
    """torch's `same` at stride 1: an odd total pads one more after."""
    dilation = (dilation,) * len(kernel) if isinstance(dilation, int) else dilation
    totals = [d * (k - 1) for k, d in zip(kernel, dilation)]
    return tuple((t // 2, t - t // 2) for t in totals)


@rule("aten.batch_norm")
def _batch_norm(low, node, x, scale, bias, mean, var, training, momentum, epsilon, cudnn=False):
    if mean is None:
        raise PortError("batch norm with running statistics; track_running_stats=False normalises by each batch")
    x = low.channels_last(x) if x.ndim > 2 else low.whole(x)
    layer = batch_norm(
        momentum=1 - momentum, epsilon=epsilon, unbiased=True, scale=scale is not None, bias=bias is not None
    )
    return low.emit(layer, x, weights={"scale": scale, "bias": bias}, state={"mean": mean, "var": var})


@rule("aten.layer_norm")
def _layer_norm(low, node, x, shape, scale=None, bias=None, epsilon=1e-5, cudnn=False):
    axes = len(shape)
    x = low.whole(x)
    if x.axes[-axes:] != tuple(range(x.ndim - axes, x.ndim)):
        x = low.as_source(x)
    layer = layer_norm(axes=axes, epsilon=epsilon, scale=scale is not None, bias=bias is not None)
    return low.emit(layer, x, weights={"scale": scale, "bias": bias})


def spatial(low, x: Value) -> tuple[Value, int]:
    """A value with its channels last, and its number of spatial axes."""
    return low.channels_last(x), x.ndim - 2


@rules("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
def _conv_transpose(low, node, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    x, rank = spatial(low, x)
    layer = word("conv_transpose")(
        weight.shape[1] * groups, per_axis(weight.shape[2:], rank), stride=per_axis(stride, rank),
        padding=padding_word(padding, rank), output_padding=per_axis(output_padding, rank),
        dilation=per_axis(dilation, rank), groups=groups, bias=bias is not None,
    )  # fmt: skip
    return low.emit(layer, x, weights={"kernel": turned_take(weight, groups), "bias": bias})


def _group(low, x, groups, scale, bias, epsilon):
    layer = word("group_norm")(groups, epsilon=epsilon, scale=scale is not None, bias=bias is not None)
    return low.emit(layer, low.channels_last(x), weights={"scale": scale, "bias": bias})


@rule("aten.group_norm")
def _group_norm(low, node, x, groups, scale=None, bias=None, epsilon=1e-5, cudnn=False):
    return _group(low, x, groups, scale, bias, epsilon)


@rule("aten.instance_norm")
def _instance_norm(low, node, x, scale, bias, mean, var, by_input, momentum, epsilon, cudnn=False):
    if mean is not None:
        raise PortError("an instance norm without running statistics")
    layer = word("instance_norm")(epsilon=epsilon, scale=scale is not None, bias=bias is not None)
    return low.emit(layer, low.channels_last(x), weights={"scale": scale, "bias": bias})


@rule("aten.rms_norm")
def _rms_norm(low, node, x, shape, scale=None, epsilon=None):
    if len(shape) != 1:
        raise PortError(f"an RMS norm of the last axis, got {len(shape)} axes")
    x = low.whole(x)
    x = x if x.axes[-1] == x.ndim - 1 else low.as_source(x)
    epsilon = torch.finfo(node.meta["val"].dtype).eps if epsilon is None else epsilon
    return low.emit(word("rms_norm")(epsilon=epsilon, scale=scale is not None), x, weights={"scale": scale})


@rules("aten.max_pool1d", "aten.max_pool2d", "aten.max_pool3d")
def _max_pool(low, node, x, size, stride=(), padding=0, dilation=1, ceil_mode=False):
    x, rank = spatial(low, x)
    options = {"dilation": per_axis(dilation, rank)} if per_axis(dilation, rank) != 1 else {}
    return low.emit(word("max_pool")(**_window(size, stride, padding, rank), **options, ceil_mode=ceil_mode), x)


@rules("aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d")
def _avg_pool(low, node, x, size, stride=(), padding=0, ceil_mode=False, count_padding=True, divisor=None):
    if divisor is not None:
        raise PortError(f"an average over the window, got divisor_override={divisor}")
    x, rank = spatial(low, x)
    made = word("avg_pool")(**_window(size, stride, padding, rank), ceil_mode=ceil_mode, count_padding=count_padding)
    return low.emit(made, x)


def _window(size, stride, padding, rank: int) -> dict[str, Any]:
    size = per_axis(size, rank)
    stride = per_axis(stride, rank) if stride not in ((), []) else size
    made = {"size": size, "padding": padding_word(padding, rank)}
    return made if stride == size else {**made, "stride": stride}


@rules("aten.adaptive_avg_pool1d", "aten.adaptive_avg_pool2d", "aten.adaptive_avg_pool3d")
def _adaptive_avg(low, node, x, size):
    return _adaptive(low, x, size, "avg", low.shape)


@rules("aten.adaptive_max_pool1d", "aten.adaptive_max_pool2d", "aten.adaptive_max_pool3d")
def _adaptive_max(low, node, x, size):
    made = _adaptive(low, x, size, "max", sizes_of(low.node.meta["val"][0]))
    return made, None


def _adaptive(low, x, size, kind: str, shape: tuple[int, ...]):
    x, rank = spatial(low, x)
    bins = per_axis(size, rank)
    if bins == 1:
        return low.emit(word(f"global_{kind}_pool")(keepdims=True), x, shape=shape)
    if tuple(x.shape[2:]) == (bins if isinstance(bins, tuple) else (bins,) * rank):
        return x
    return low.emit(word(f"adaptive_{kind}_pool")(bins), x, shape=shape)


@rules("aten.pad", "aten.constant_pad_nd")
def _pad(low, node, x, padding, mode="constant", value=None):
    widths = {x.ndim - 1 - i: tuple(padding[2 * i : 2 * i + 2]) for i in range(len(padding) // 2)}
    x, around = padded_axes(low, low.whole(x), widths)
    return low.emit(word("pad")(around, **_pad_mode(mode, value)), x) if around else x


def _pad_mode(mode: str, value: Any) -> dict[str, Any]:
    name = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    return {**({} if name == "constant" else {"mode": name}), **({"value": float(value)} if value else {})}
