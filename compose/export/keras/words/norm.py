"""Norms."""

from __future__ import annotations

from compose.export.keras.registry import writes
from compose.layers.norm.batch import batch_norm, layer_norm, rms_norm
from compose.layers.norm.group import group_norm, instance_norm
from compose.layers.norm.local import local_response_norm


def affine(layer, p, axis="") -> tuple[str, dict]:
    """The arguments that norms share, without the first comma, and the weights."""
    given = [axis, "" if layer.epsilon == 1e-3 else f"epsilon={layer.epsilon!r}"]
    given += ["" if layer.scale else "scale=False", "" if layer.bias else "center=False"]
    names = {"scale": "gamma", "bias": "beta"}
    return ", ".join(filter(None, given)), {names[k]: v for k, v in p.items()}


@writes(batch_norm)
def over_batch(w, layer, p, s, x):
    options, weights = affine(layer, p, "axis=1" if layer.channels_first else "")
    momentum = "" if layer.momentum == 0.99 else f"momentum={layer.momentum!r}"
    options = ", ".join(filter(None, [momentum, options]))
    if layer.unbiased:
        w.note("Keras keeps the biased variance of batches in training.")
    seen = {"moving_mean": s["mean"], "moving_variance": s["var"]}
    return w.module(x, f"layers.BatchNormalization({options})", weights | seen)


def last(axes: int) -> str:
    return "" if axes == 1 else f"axis={list(range(-axes, 0))}"


@writes(layer_norm)
def over_features(w, layer, p, s, x):
    options, weights = affine(layer, p, last(layer.axes))
    return w.module(x, f"layers.LayerNormalization({options})", weights)


@writes(rms_norm)
def root_mean_square(w, layer, p, s, x):
    epsilon = f"epsilon={layer.epsilon!r}"
    if not layer.scale:
        axes = last(layer.axes) or "axis=-1"
        x = w.named(x)
        total = f"ops.mean(ops.square({{}}), {axes}, keepdims=True)"
        return w.call(x, f"{{}} * ops.rsqrt({total} + {layer.epsilon!r})")
    options = ", ".join(filter(None, [last(layer.axes), epsilon]))
    return w.module(x, f"layers.RMSNormalization({options})", {"scale": p["scale"]})


@writes(group_norm, instance_norm)
def over_groups(w, layer, p, s, x):
    groups = layer.groups if isinstance(layer, group_norm) else -1
    options, weights = affine(layer, p, ", ".join([f"{groups}", *(["axis=1"] if layer.channels_first else [])]))
    return w.module(x, f"layers.GroupNormalization({options})", weights)


@writes(local_response_norm)
def over_neighbours(w, layer, p, s, x):
    options = f"{layer.size}, {layer.alpha!r}, {layer.beta!r}, {layer.k!r}"
    axis = ", axis=1" if layer.channels_first else ""
    return w.call(w.named(x), f"{w.part('local_response_norm')}({{}}, {options}{axis})")
