"""Norms of Flax, Linen and NNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.registry import rules


def _affine(low: Any) -> dict[str, Any]:
    """Options for whether a norm has `scale` and `bias`."""
    return {name: name in low.weights for name in ("scale", "bias")}


def _last_axes(module: Any, x: Any) -> int:
    """The number of trailing axes that a norm reduces."""
    made = []
    for name in ("reduction_axes", "feature_axes"):
        axes = getattr(module, name)
        made.append(sorted(a % x.ndim for a in (axes if isinstance(axes, (tuple, list)) else (axes,))))
    if made[0] != made[1] or made[0] != list(range(x.ndim - len(made[0]), x.ndim)):
        raise PortError(
            f"a norm over the last axes, with a scale for each place of them, got axes {made[0]}, {made[1]}"
        )
    return len(made[0])


def _plain(mask: Any, module: Any) -> None:
    if mask is not None or getattr(module, "axis_name", None) is not None:
        raise PortError("a norm without a mask and axis_name")


@rules("flax.linen.normalization.BatchNorm", "flax.nnx.nn.normalization.BatchNorm")
def _batch_norm(low, module, x, use_running_average=None, mask=None):
    _plain(mask, module)
    if isinstance(module.axis, (tuple, list)):
        raise PortError(f"batch norm of one axis, got axis={module.axis}")
    axis = module.axis % x.ndim
    order = (*(i for i in range(x.ndim) if i != axis), axis)
    turned = axis != x.ndim - 1
    x = low.emit(word("permute")(*order), x, shape=tuple(x.shape[i] for i in order)) if turned else x
    y = _of_the_last(low, module, x)
    return low.emit(word("permute")(*(int(i) for i in np.argsort(order))), y) if turned else y


def _of_the_last(low: Any, module: Any, x: Any) -> Any:
    affine = {k: v for k, v in low.weights.items() if k in ("scale", "bias")}
    made = word("batch_norm")(momentum=float(module.momentum), epsilon=float(module.epsilon), **_affine(low))
    state = {k: low.weights[k] for k in ("mean", "var")}
    if id(low.call) not in low.fixed_norms:
        return low.emit(made, x, weights=affine, state=state, shape=x.shape)
    still = word("frozen")(made.but(scale=False, bias=False))  # its scale and bias are trained
    y = low.emit(still, x, state=state, shape=x.shape)
    for name, layer in (("scale", "learned_scale"), ("bias", "learned_bias")):
        y = low.emit(word(layer), y, weights={name: affine[name]}, shape=x.shape) if name in affine else y
    return y


@rules("flax.linen.normalization.LayerNorm", "flax.nnx.nn.normalization.LayerNorm")
def _layer_norm(low, module, x, mask=None):
    _plain(mask, module)
    made = word("layer_norm")(axes=_last_axes(module, x), epsilon=float(module.epsilon), **_affine(low))
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.normalization.RMSNorm", "flax.nnx.nn.normalization.RMSNorm")
def _rms_norm(low, module, x, mask=None):
    _plain(mask, module)
    made = word("rms_norm")(_last_axes(module, x), float(module.epsilon), scale="scale" in low.weights)
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.normalization.GroupNorm", "flax.nnx.nn.normalization.GroupNorm")
def _group_norm(low, module, x, mask=None):
    _plain(mask, module)
    axes = getattr(module, "reduction_axes", None)
    if axes is not None and sorted(a % x.ndim for a in axes) != list(range(1, x.ndim)):
        raise PortError(f"group norm over all axes but the batch, got reduction_axes={axes}")
    groups = module.num_groups or x.shape[-1] // module.group_size
    made = word("group_norm")(groups, epsilon=float(module.epsilon), **_affine(low))
    return low.emit(made, x, weights=low.weights)


@rules("flax.linen.normalization.InstanceNorm", "flax.nnx.nn.normalization.InstanceNorm")
def _instance_norm(low, module, x, mask=None):
    _plain(mask, module)
    axes = module.feature_axes if isinstance(module.feature_axes, (tuple, list)) else (module.feature_axes,)
    if tuple(a % x.ndim for a in axes) != (x.ndim - 1,):
        raise PortError(f"instance norm of the last axis, got feature_axes={module.feature_axes}")
    return low.emit(word("instance_norm")(epsilon=float(module.epsilon), **_affine(low)), x, weights=low.weights)
