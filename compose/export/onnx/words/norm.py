"""Norms."""

from __future__ import annotations

import numpy as np

from compose.export.onnx.registry import writes
from compose.export.onnx.words.conv import back, first
from compose.layers.norm.batch import batch_norm, layer_norm, rms_norm
from compose.layers.norm.group import group_norm, instance_norm
from compose.layers.norm.local import local_response_norm
from compose.layers.window import channel_axis


def scale_of(layer, p, shape, dtype):
    return p["scale"] if layer.scale else np.ones(shape, dtype)


def bias_of(layer, p, shape, dtype):
    return p["bias"] if layer.bias else np.zeros(shape, dtype)


def layered(writer, layer, x):
    """The input with channels first; of rank 2 it has them last and first."""
    return x if x.ndim == 2 else first(writer, layer, x)


def unlayered(writer, layer, y):
    return y if y.ndim == 2 else back(writer, layer, y)


def half(x) -> bool:
    return np.dtype(x.dtype).itemsize < 4


@writes(batch_norm)
def over_batch(writer, layer, p, s, x):
    if half(x):
        return NotImplemented
    n = x.shape[channel_axis(x, layer.channels_first)]
    seen = layered(writer, layer, x)
    mean, var = (
        v.astype(x.dtype) if isinstance(v, np.ndarray) and v.dtype != x.dtype else v for v in (s["mean"], s["var"])
    )
    y = writer.node(
        "BatchNormalization", seen, scale_of(layer, p, (n,), x.dtype), bias_of(layer, p, (n,), x.dtype), mean, var,
        epsilon=layer.epsilon,
    )  # fmt: skip
    return unlayered(writer, layer, y)


@writes(layer_norm)
def over_features(writer, layer, p, s, x):
    shape = x.shape[-layer.axes :]
    scale = scale_of(layer, p, shape, x.dtype)
    bias = p["bias"] if layer.bias else None
    return writer.node("LayerNormalization", x, scale, bias, axis=-layer.axes, epsilon=layer.epsilon)


@writes(rms_norm)
def root_mean_square(writer, layer, p, s, x):
    if writer.graph.opset < 23 or half(x):
        return NotImplemented
    scale = scale_of(layer, p, x.shape[-layer.axes :], x.dtype)
    return writer.node("RMSNormalization", x, scale, axis=-layer.axes, epsilon=layer.epsilon)


@writes(group_norm)
def over_groups(writer, layer, p, s, x):
    if writer.graph.opset < 21 or half(x) or x.ndim < 3:
        return NotImplemented
    n = x.shape[channel_axis(x, layer.channels_first)]
    y = writer.node(
        "GroupNormalization", first(writer, layer, x), scale_of(layer, p, (n,), x.dtype),
        bias_of(layer, p, (n,), x.dtype), num_groups=layer.groups, epsilon=layer.epsilon,
    )  # fmt: skip
    return back(writer, layer, y)


@writes(instance_norm)
def over_space(writer, layer, p, s, x):
    if half(x):
        return NotImplemented
    n = x.shape[channel_axis(x, layer.channels_first)]
    y = writer.node(
        "InstanceNormalization", first(writer, layer, x), scale_of(layer, p, (n,), x.dtype),
        bias_of(layer, p, (n,), x.dtype), epsilon=layer.epsilon,
    )  # fmt: skip
    return back(writer, layer, y)


@writes(local_response_norm)
def over_neighbours(writer, layer, p, s, x):
    if layer.size % 2 == 0 or half(x) or x.ndim < 3:
        return NotImplemented
    y = writer.node("LRN", first(writer, layer, x), size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)
    return back(writer, layer, y)
