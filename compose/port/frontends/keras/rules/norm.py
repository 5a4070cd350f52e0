"""Normalisation."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules


@rule("keras.layers.BatchNormalization")
def _batch_norm(walk, layer, x):
    options = {"epsilon": float(layer.epsilon), "scale": layer.scale, "bias": layer.center}
    state = {"mean": layer.moving_mean, "var": layer.moving_variance}
    if not layer.renorm:
        return _over_axes(walk, layer, x, word("batch_norm")(float(layer.momentum), **options), _affine(layer), state)
    limit = lambda name: None if layer.renorm_clipping.get(name) is None else float(layer.renorm_clipping[name])
    low, high = limit("rmin"), limit("rmax")
    options["limits"] = None if low is high is None else (low or 0.0, high)
    made = word("batch_renorm")(
        float(layer.momentum), shift=limit("dmax"), renorm_momentum=float(layer.renorm_momentum), **options
    )
    state |= {"std": layer.moving_stddev, "renorm_mean": layer.renorm_mean, "renorm_std": layer.renorm_stddev}
    return _over_axes(walk, layer, x, made, _affine(layer), state)


@rule("keras.layers.GroupNormalization")
def _group_norm(walk, layer, x):
    shape = layer._build_shapes_dict["input_shape"]
    groups = shape[layer.axis] if layer.groups == -1 else layer.groups
    made = word("group_norm")(groups, epsilon=float(layer.epsilon), scale=layer.scale, bias=layer.center)
    return _over_axes(walk, layer, x, made, _affine(layer))


@rule("keras.layers.LayerNormalization")
def _layer_norm(walk, layer, x):
    if layer.rms_scaling:  # by the deviation from the mean, which stays
        raise PortError("a norm without rms_scaling, but on the JAX backend; keras.layers.RMSNormalization has a word")
    made = word("layer_norm")(
        axes=len(_axes(layer)), epsilon=float(layer.epsilon), scale=layer.scale, bias=layer.center
    )
    return _over_axes(walk, layer, x, made, _affine(layer))


@rule("keras.layers.RMSNormalization")
def _rms_norm(walk, layer, x):
    made = word("rms_norm")(len(_axes(layer)), float(layer.epsilon))
    return _over_axes(walk, layer, x, made, {"scale": layer.scale})


def _axes(layer: Any) -> list[int]:
    """The axes of a norm, counted from the first."""
    rank = len(layer._build_shapes_dict["input_shape"])
    return [a % rank for a in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)]


def _over_axes(walk: Any, layer: Any, x: Any, made: Any, weights: Any, state: Any = None) -> Any:
    """A norm of the last axes over those that Keras's layer has, which are moved there where they are elsewhere."""
    rank, axes = len(layer._build_shapes_dict["input_shape"]), _axes(layer)
    if axes != sorted(axes):
        raise PortError(f"a norm whose axes ascend, got axis={layer.axis}")
    order = [i for i in range(rank) if i not in axes] + axes
    if order == list(range(rank)):
        return walk.emit(made, x, weights=weights, state=state)
    if axes == [1] and hasattr(made, "channels_first"):
        return walk.emit(made.but(channels_first=True), x, weights=weights, state=state)
    y = walk.emit(made, walk.emit(word("permute")(*order), x), weights=weights, state=state)
    return walk.emit(word("permute")(*map(int, np.argsort(order))), y)


@rule("keras.layers.UnitNormalization")
def _unit_norm(walk, layer, x):
    axis = layer.axis if isinstance(layer.axis, int) else tuple(layer.axis)
    return walk.emit(word("unit_norm")(axis=axis) if axis != -1 else word("unit_norm"), x)


@rule("keras.layers.Normalization")
def _normalization(walk, layer, x):
    if layer.mean is None:
        raise PortError("a normalisation with its mean and variance, adapted or given")
    given = layer.input_mean is not None  # before Keras narrowed them to its own dtype
    stored = (layer.input_mean, layer.input_variance) if given else (layer.mean, layer.variance)
    mean, variance = (np.asarray(v, np.float64) for v in stored)
    if any(v.size > 1 and v.size != v.shape[-1] for v in (mean, variance)):
        raise PortError(f"a normalisation of the last axis, got axis={layer.axis}")
    std = np.maximum(np.sqrt(variance), 1e-7)
    mean, std = (-mean / std, 1 / std) if layer.invert else (mean, std)
    return walk.emit(word("standardize")(_numbers(mean), _numbers(std)), x)


@rule("keras.layers.Rescaling")
def _rescaling(walk, layer, x):
    by, offset = np.asarray(layer.scale, float), np.asarray(layer.offset, float)
    if by.size == offset.size == 1:
        made = walk.emit(word("scale")(by=float(by)), x) if by != 1 else x
        return walk.emit(word("add_constant")(value=float(offset)), made) if offset else made
    by, offset = np.broadcast_arrays(by, offset)
    if by.ndim > 1 or (by == 0).any():
        raise PortError(f"one scale, not 0, and one offset for each channel, got {layer.scale}, {layer.offset}")
    return walk.emit(word("standardize")(_numbers(-offset / by), _numbers(1 / by)), x)


def _affine(layer: Any) -> dict[str, Any]:
    return {"scale": layer.gamma if layer.scale else None, "bias": layer.beta if layer.center else None}


def _numbers(values: np.ndarray) -> Any:
    flat = values.ravel().tolist()
    return flat[0] if len(flat) == 1 else tuple(flat)


@rules("keras.ops.LayerNorm", "keras.ops.RMSNorm")
def _last_axis_norm(walk, op, x, scale=None, beta=None, gamma=None):
    gamma = scale if gamma is None else gamma
    epsilon = float(op.epsilon if op.epsilon is not None else keras.config.epsilon())
    if op.axis not in (-1, walk.rank - 1, [-1], (-1,)) or getattr(op, "rms_scaling", False):
        raise PortError("a norm of the last axis")
    weights = {"scale": gamma, "bias": beta}
    if type(op).__name__ == "RMSNorm":
        return walk.emit(word("rms_norm")(epsilon=epsilon, scale=gamma is not None), x, weights={"scale": gamma})
    made = word("layer_norm")(epsilon=epsilon, scale=gamma is not None, bias=beta is not None)
    return walk.emit(made, x, weights=weights)
