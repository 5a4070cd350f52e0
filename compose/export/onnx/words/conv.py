"""Convolutions: channels move first, kernels become `(filters, channels, *size)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.export.onnx.registry import writes
from compose.layers.conv.conv import conv, depthwise_conv
from compose.layers.conv.transpose import conv_transpose
from compose.layers.window import channel_axis, pairs, sizes, space_axes, window


def first(writer, layer, x):
    """The input with channels first."""
    return x if layer.channels_first else writer.channels_first(x)


def back(writer, layer, y):
    """The output with the channels where the layer has them."""
    return y if layer.channels_first else writer.channels_last(y)


def turned(writer, kernel, order: tuple[int, ...]) -> Any:
    moved = writer.transpose(kernel, order)
    return writer.weight(moved, "kernel")


@writes(conv, depthwise_conv)
def convolution(writer, layer, p, s, x):
    over = window(x, layer.kernel, layer.stride, layer.padding, layer.dilation, layer.channels_first)
    rank, filters = len(over.axes), p["kernel"].shape[-1]
    kernel = turned(writer, p["kernel"], (rank + 1, rank, *range(rank)))
    groups = getattr(layer, "groups", x.shape[channel_axis(x, layer.channels_first)])
    y = writer.node(
        "Conv", first(writer, layer, x), kernel, p["bias"] if layer.bias else None,
        shape=(x.shape[0], filters, *over.places), kernel_shape=list(over.size), strides=list(over.stride),
        dilations=list(over.dilation), group=groups,
        pads=[lo for lo, _ in over.padding] + [hi for _, hi in over.padding],
    )  # fmt: skip
    return activated(writer, layer, p, y)


def activated(writer, layer, p, y):
    return writer.inside("activation", layer.activation, p, back(writer, layer, y))


@writes(conv_transpose)
def transposed(writer, layer, p, s, x):
    axes = space_axes(x, layer.channels_first)
    rank, space = len(axes), [x.shape[a] for a in axes]
    size, stride, dilation = (sizes(v, rank) for v in (layer.kernel, layer.stride, layer.dilation))
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    cut = layer.crop(size, stride, dilation)
    extra = [after for _, after in pairs(layer.output_padding, rank)]
    more = [e - min(after, 0) for e, (_, after) in zip(extra, cut)]
    pads = [(before, max(after, 0)) for before, after in cut]
    fits = all(before >= 0 for before, _ in pads) and all(m < max(n, d) for m, n, d in zip(more, stride, dilation))
    kernel = p["kernel"]
    if not fits or not isinstance(kernel, np.ndarray):
        return NotImplemented
    *_, inputs, filters = kernel.shape
    groups = layer.groups
    flipped = kernel[(slice(None, None, -1),) * rank]
    apart = flipped.reshape(*size, inputs, groups, filters // groups)
    apart = apart.transpose(rank + 1, rank, rank + 2, *range(rank)).reshape(inputs * groups, filters // groups, *size)
    out = [(n - 1) * st + k - lo - hi + m for n, st, k, (lo, hi), m in zip(space, stride, spans, pads, more)]
    y = writer.node(
        "ConvTranspose", first(writer, layer, x), writer.weight(apart, "kernel"), p["bias"] if layer.bias else None,
        shape=(x.shape[0], filters, *out), kernel_shape=list(size), strides=list(stride), dilations=list(dilation),
        group=groups, pads=[lo for lo, _ in pads] + [hi for _, hi in pads], output_padding=more,
    )  # fmt: skip
    return activated(writer, layer, p, y)
