"""Norms."""

from __future__ import annotations

import jax.numpy as jnp

from compose.export.source.registry import follows
from compose.export.torch.registry import writes
from compose.export.torch.words.conv import first
from compose.layers.norm.batch import batch_norm, layer_norm, rms_norm
from compose.layers.norm.group import group_norm, instance_norm
from compose.layers.norm.local import local_response_norm
from compose.layers.window import channel_axis


def affine(layer, p, shape) -> tuple[str, dict]:
    """Whether a norm has weights, and its weights; where it has one of two, the other is constant."""
    if not layer.scale and not layer.bias:
        return ", affine=False", {}
    dtype = next(iter(p.values())).dtype
    return "", {"weight": p.get("scale", jnp.ones(shape, dtype)), "bias": p.get("bias", jnp.zeros(shape, dtype))}


def constant_half(w, layer, y):
    """Without a gradient for the half of the weights that the layer has not."""
    if layer.scale != layer.bias:
        w.code.lines.append(f"self.{y.steps[-1].name}.{'bias' if layer.scale else 'weight'}.requires_grad_(False)")
    return y


@writes(batch_norm)
@follows
def over_batch(w, layer, p, s, x):
    n = x.shape[channel_axis(x, layer.channels_first)]
    rank = max(x.ndim - 2, 1)
    options, weights = affine(layer, p, (n,))
    options += f", momentum={round(1 - layer.momentum, 12)!r}" if layer.momentum != 0.9 else ""
    options += f", eps={layer.epsilon!r}" if layer.epsilon != 1e-5 else ""
    seen = {"running_mean": s["mean"], "running_var": s["var"], "num_batches_tracked": jnp.zeros((), int)}
    y = w.module(first(w, layer, x), f"nn.BatchNorm{rank}d({n}{options})", {**weights, **seen})
    return constant_half(w, layer, y)


@writes(layer_norm)
def over_features(w, layer, p, s, x):
    shape = x.shape[-layer.axes :]
    if layer.bias and not layer.scale:
        options, weights = affine(layer, p, shape)
    else:
        options = ", elementwise_affine=False" if not layer.scale else "" if layer.bias else ", bias=False"
        weights = {{"scale": "weight"}.get(k, k): v for k, v in p.items()}
    options += f", eps={layer.epsilon!r}" if layer.epsilon != 1e-5 else ""
    y = w.module(x, f"nn.LayerNorm({shape[0] if len(shape) == 1 else shape}{options})", weights)
    return constant_half(w, layer, y) if layer.bias and not layer.scale else y


@writes(rms_norm)
def root_mean_square(w, layer, p, s, x):
    shape = x.shape[-layer.axes :]
    options = f", eps={layer.epsilon!r}" + ("" if layer.scale else ", elementwise_affine=False")
    weights = {"weight": p["scale"]} if layer.scale else {}
    return w.module(x, f"nn.RMSNorm({shape[0] if len(shape) == 1 else shape}{options})", weights)


@writes(group_norm)
@follows
def over_groups(w, layer, p, s, x):
    n = x.shape[channel_axis(x, layer.channels_first)]
    options, weights = affine(layer, p, (n,))
    options += f", eps={layer.epsilon!r}" if layer.epsilon != 1e-5 else ""
    return constant_half(w, layer, w.module(first(w, layer, x), f"nn.GroupNorm({layer.groups}, {n}{options})", weights))


@writes(instance_norm)
@follows
def over_space(w, layer, p, s, x):
    n = x.shape[channel_axis(x, layer.channels_first)]
    options, weights = affine(layer, p, (n,))
    options = ", affine=True" if weights else ""
    options += f", eps={layer.epsilon!r}" if layer.epsilon != 1e-5 else ""
    text = f"nn.InstanceNorm{x.ndim - 2}d({n}{options})"
    return constant_half(w, layer, w.module(first(w, layer, x), text, weights))


@writes(local_response_norm)
@follows
def over_neighbours(w, layer, p, s, x):
    seen = first(w, layer, x)
    options = f"{layer.size}, alpha={layer.alpha!r}, beta={layer.beta!r}, k={layer.k!r}"
    if x.ndim < 3:
        return w.call(x, f"F.local_response_norm({{}}.unsqueeze(-1), {options}).squeeze(-1)")
    return w.module(seen, f"nn.LocalResponseNorm({options})")
