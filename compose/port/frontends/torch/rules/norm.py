"""Normalisation."""

from __future__ import annotations

import torch

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.norm.batch import batch_norm, layer_norm
from compose.port.frontends.torch.registry import rule


@rule("aten.batch_norm")
def _batch_norm(low, node, x, scale, bias, mean, var, training, momentum, epsilon, cudnn=False):
    if mean is None and scale is None and bias is None and x.ndim == 3 and x.shape[0] == 1:
        standardized = layer_norm(axes=1, epsilon=epsilon, scale=False, bias=False)  # a kernel, as in BiT
        return low.emit(standardized, low.as_source(x))
    if training or mean is None:
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
