"""Normalisations."""

from __future__ import annotations

import math

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.norm.batch import batch_norm, layer_norm
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.frontends.onnx.rules.patches import along_channels
from compose.port.ir.weights import View
from compose.port.lowering.values import Value


@rule("onnx.BatchNormalization")
def _batch_norm(low, node, x, scale, bias, mean, var):
    if any(isinstance(v, Value) for v in (scale, bias, mean, var)):
        scale, bias, mean, var = (along_channels(low, v, x.ndim) for v in (scale, bias, mean, var))
        spread = low.emit(word("add_constant")(value=node.get("epsilon", 1e-5)), var, shape=var.shape)
        root = low.emit(word("ops.rsqrt"), spread, shape=var.shape)
        y = low.joined("multiply", low.joined("subtract", x, mean), root)
        return low.joined("add", low.joined("multiply", y, scale), bias)
    x = low.channels_last(x) if x.ndim > 2 else low.whole(x)
    layer = batch_norm(momentum=node.get("momentum", 0.9), epsilon=node.get("epsilon", 1e-5), unbiased=low.from_torch)
    scale, bias, mean, var = map(low.weight, (scale, bias, mean, var))
    return low.emit(layer, x, weights={"scale": scale, "bias": bias}, state={"mean": mean, "var": var})


@rules("onnx.LayerNormalization", "onnx.compose.LayerNorm")
def _layer_norm(low, node, x, *weights):
    if any(name in low.graph.outputs or low.graph.readers(name) for name in node.outputs[1:] if name):
        raise PortError("a layer norm of which nothing but the result is read, got its mean or deviation read too")
    given = iter(weights)
    scale, bias = (next(given, None) if node.get(name, True) else None for name in ("scale", "bias"))
    axes = -node.get("axis", -1)
    x = low.whole(x)
    over = node.get("over", x.ndim - 1)
    if over != x.ndim - 1:  # one axis that is not the last
        x = low.moved(x, (*(a for a in x.axes if a != over), over))
        scale, bias = (_last(low, w, (x.shape[over],)) for w in (scale, bias))
        layer = layer_norm(epsilon=node.get("epsilon"), scale=scale is not None, bias=bias is not None)
        return low.emit(layer, x, weights={"scale": scale, "bias": bias})
    axes = axes if axes > 0 else x.ndim + axes
    if x.axes[-axes:] != tuple(range(x.ndim - axes, x.ndim)):
        x = low.as_source(x)
    scale, bias = (_last(low, w, x.shape[-axes:]) for w in (scale, bias))
    layer = layer_norm(axes=axes, epsilon=node.get("epsilon", 1e-5), scale=scale is not None, bias=bias is not None)
    return low.emit(layer, x, weights={"scale": scale, "bias": bias})


@rules("onnx.RMSNormalization", "onnx.compose.RmsNorm")
def _rms_norm(low, node, x, scale=None):
    x = low.whole(x)
    if node.get("axis", -1) % x.ndim != x.ndim - 1:
        raise PortError("an RMS norm of the last axis")
    x = x if x.axes[-1] == x.ndim - 1 else low.as_source(x)
    scale = _last(low, scale, x.shape[-1:])
    return low.emit(
        word("rms_norm")(epsilon=node.get("epsilon", 1e-5), scale=scale is not None), x, weights={"scale": scale}
    )


def _last(low, weight, shape: tuple[int, ...]):
    weight = low.weight(weight)
    if weight is None or weight.shape == shape:
        return weight
    if weight.array.size != math.prod(shape):
        raise PortError(f"a scale or bias of shape {shape}, got {weight.shape}")
    return View(weight.view.source, rows=weight.view.rows, shape=shape)


@rule("onnx.LpNormalization")
def _unit_norm(low, node, x):
    x = low.whole(x)
    at = x.axis(node.get("axis", -1))
    if node.get("p", 2) == 2:
        return low.emit(word("unit_norm")(axis=at), x)
    size = low.emit(word("norm")(axis=at, order=1.0, keepdims=True), x, shape=_kept(x.shape, x.axes[at]))
    return low.emit(word("divide"), x, size)


def _kept(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(1 if a == axis else n for a, n in enumerate(shape))


@rule("onnx.LRN")
def _local(low, node, x):
    size = node.get("size")
    if size % 2 == 0:
        raise PortError(f"a local norm over an odd number of channels, got {size}")
    layer = word("local_response_norm")(
        size, alpha=node.get("alpha", 1e-4), beta=node.get("beta", 0.75), k=node.get("bias", 1.0)
    )
    return low.emit(layer, low.channels_last(x))


@rule("onnx.InstanceNormalization")
def _instance_norm(low, node, x, scale, bias):
    layer = word("instance_norm")(epsilon=node.get("epsilon", 1e-5))
    if isinstance(scale, Value) or isinstance(bias, Value):
        y = low.emit(layer.but(scale=False, bias=False), low.channels_last(x))
        y = low.joined("multiply", y, along_channels(low, scale, x.ndim))
        return low.joined("add", y, along_channels(low, bias, x.ndim))
    return low.emit(layer, low.channels_last(x), weights={"scale": low.weight(scale), "bias": low.weight(bias)})


@rule("onnx.GroupNormalization")
def _group_norm(low, node, x, scale, bias):
    scale, bias = low.weight(scale), low.weight(bias)
    if scale.shape != (x.shape[1],):
        raise PortError("a group norm with a scale for each channel (opset 21 or later)")
    layer = word("group_norm")(node.get("num_groups"), epsilon=node.get("epsilon", 1e-5))
    return low.emit(layer, low.channels_last(x), weights={"scale": scale, "bias": bias})
