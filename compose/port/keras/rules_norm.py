"""Norms, noise, learned slopes and scales of Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules


@rules(*(f"keras.layers.SpatialDropout{n}D" for n in (1, 2, 3)))
def _spatial_dropout(walk, layer, x):
    if getattr(layer, "data_format", None) == "channels_first":
        raise PortError("channels last")
    return walk.emit(word("spatial_dropout")(float(layer.rate)), x) if layer.rate else x


@rules("keras.layers.GaussianDropout", "keras.layers.AlphaDropout")
def _noisy_dropout(walk, layer, x):
    name = "gaussian_dropout" if type(layer).__name__ == "GaussianDropout" else "alpha_dropout"
    if getattr(layer, "noise_shape", None) is not None:
        raise PortError("noise_shape=None; here the axes that share a draw are alpha_dropout(..., shared_axes=)")
    return walk.emit(word(name)(float(layer.rate)), x) if layer.rate else x


@rule("keras.layers.GaussianNoise")
def _gaussian_noise(walk, layer, x):
    return walk.emit(word("gaussian_noise")(float(layer.stddev)), x) if layer.stddev else x


@rule("keras.layers.StochasticDepth")
def _drop_path(walk, layer, x):
    return walk.emit(word("drop_path")(float(layer.drop_path_rate)), x)


@rule("keras.layers.GroupNormalization")
def _group_norm(walk, layer, x):
    shape = layer._build_shapes_dict["input_shape"]
    if layer.axis not in (-1, len(shape) - 1):
        raise PortError(f"group normalisation of the last axis, got axis={layer.axis}")
    groups = shape[-1] if layer.groups == -1 else layer.groups
    made = word("group_norm")(groups, epsilon=float(layer.epsilon), scale=layer.scale, bias=layer.center)
    return walk.emit(made, x, weights=_affine(layer))


@rule("keras.layers.RMSNormalization")
def _rms_norm(walk, layer, x):
    rank = len(layer._build_shapes_dict["input_shape"])
    axes = [a % rank for a in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)]
    if axes != list(range(rank - len(axes), rank)):
        raise PortError(f"normalisation of the last axes, got axis={layer.axis}")
    return walk.emit(word("rms_norm")(len(axes), float(layer.epsilon)), x, weights={"scale": layer.scale})


@rule("keras.layers.UnitNormalization")
def _unit_norm(walk, layer, x):
    axis = layer.axis if isinstance(layer.axis, int) else tuple(layer.axis)
    return walk.emit(word("unit_norm")(axis=axis) if axis != -1 else word("unit_norm"), x)


@rule("keras.layers.Normalization")
def _normalization(walk, layer, x):
    if layer.invert or layer.mean is None:
        raise PortError("a normalisation with its mean and variance, adapted or given, and not inverted")
    given = layer.input_mean is not None  # before Keras narrowed them to its own dtype
    stored = (layer.input_mean, layer.input_variance) if given else (layer.mean, layer.variance)
    mean, variance = (np.asarray(v, np.float64) for v in stored)
    if any(v.size > 1 and v.size != v.shape[-1] for v in (mean, variance)):
        raise PortError(f"a normalisation of the last axis, got axis={layer.axis}")
    made = word("standardize")(_numbers(mean), _numbers(np.maximum(np.sqrt(variance), 1e-7)))
    return walk.emit(made, x)


@rule("keras.layers.PReLU")
def _prelu(walk, layer, x):
    shared = layer.shared_axes or []
    axes = tuple(i for i in range(1, len(layer.alpha.shape) + 1) if i not in shared)
    slopes = walk.take(layer.alpha, shape=tuple(layer.alpha.shape[i - 1] for i in axes))
    return walk.emit(word("prelu")(axes), x, weights={"negative_slope": slopes})


@rule("keras.layers.LayerScale")
def _layer_scale(walk, layer, x):
    return walk.emit(word("learned_scale"), x, weights={"scale": layer.gamma})


@rule("keras.layers.Dot")
def _dot(walk, layer, xs):
    axes = layer.axes if isinstance(layer.axes, int) else tuple(layer.axes)
    options = {"normalize": True} if layer.normalize else {}
    return walk.emit(word("dot")(axes=axes, **options), *xs)


def _affine(layer: Any) -> dict[str, Any]:
    return {"scale": layer.gamma if layer.scale else None, "bias": layer.beta if layer.center else None}


def _numbers(values: np.ndarray) -> Any:
    flat = values.ravel().tolist()
    return flat[0] if len(set(flat)) == 1 else tuple(flat)
