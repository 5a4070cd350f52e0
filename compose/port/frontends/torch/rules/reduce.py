"""Reductions, scans, positions of the largest."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.binary import extreme
from compose.port.lowering.values import Value, identity_axes


@rules("aten.mean", "aten.sum", "aten.amax", "aten.amin", "aten.logsumexp", "aten.prod")
def _plain(low, node, x, axes: Any = None, keepdim=False, dtype=None):
    name = str(node.target).split(".")[1]
    return _reduced(
        low, {"amax": "ops.max", "amin": "ops.min", "std": "std"}.get(name, f"ops.{name}"), x, axes, keepdim
    )


@rules("aten.var", "aten.std")
def _spread(low, node, x, axes: Any = None, unbiased: Any = True, keepdim=False, correction: Any = 1):
    if isinstance(axes, bool):  # var(x, unbiased)
        axes, unbiased = None, axes
    ddof = int((1 if correction is None else correction) if unbiased else 0)
    return _reduced(
        low, "std" if "std" in str(node.target) else "ops.var", x, axes, keepdim, **({"ddof": ddof} if ddof else {})
    )


@rules("aten.max", "aten.min")
def _largest(low, node, x, axis: Any = None, keepdim=False):
    """The extreme of all elements or along an axis, with indices if they are read; of two values, elementwise."""
    name = str(node.target).split(".")[1]
    if axis is not None and not isinstance(axis, int):
        return extreme(low, f"{name}imum", x, axis)
    if axis is None:
        return _reduced(low, f"ops.{name}", x, None, False)
    values, places = low.node.meta["val"]
    made = _reduced(low, f"ops.{name}", x, axis, keepdim, shape=sizes_of(values))
    if not any(user.args[1] == 1 for user in node.users):
        return made, None
    if name == "min":
        x = low.emit(word("scale")(by=-1), x, shape=x.shape)
    return made, _reduced(low, "ops.argmax", x, axis, keepdim, shape=sizes_of(places))


@rules("aten.argmax", "aten.argmin")
def _place(low, node, x, axis: Any = None, keepdim=False):
    if str(node.target).startswith("aten.argmin"):
        x = low.emit(word("scale")(by=-1), x, shape=x.shape)
    if axis is None:
        return emitted(low, word("ops.argmax")(**({"keepdims": True} if keepdim else {})), x)
    return _reduced(low, "ops.argmax", x, axis, keepdim)


@rules("aten.linalg_vector_norm", "aten.norm")
def _norm(low, node, x, order: Any = 2, axes: Any = None, keepdim=False, dtype=None):
    order = 2 if order is None else order
    return _reduced(low, "norm", x, axes, keepdim, **({} if order == 2 else {"order": float(order)}))


@rules("aten.var_mean", "aten.std_mean")
def _spread_and_mean(low, node, x, axes: Any = None, unbiased: Any = True, keepdim=False, correction: Any = 1):
    if isinstance(axes, bool):
        axes, unbiased = None, axes
    ddof, shape = int((1 if correction is None else correction) if unbiased else 0), sizes_of(node.meta["val"][0])
    name = "std" if "std" in str(node.target) else "ops.var"
    spread = _reduced(low, name, x, axes, keepdim, shape=shape, **({"ddof": ddof} if ddof else {}))
    return spread, _reduced(low, "ops.mean", x, axes, keepdim, shape=shape)


def _reduced(low: Any, name: str, x: Value, axes: Any, keepdim: bool, shape: Any = None, **options: Any) -> Value:
    """Reduce over the source's `axes`, by default all."""
    x = low.whole(x)
    if not x.ndim and name == "ops.argmax":
        return low.emit(word(name), x, shape=shape, axes=())
    if not x.ndim:
        return low.emit(word(name)(axis=(), **options), x, shape=shape, axes=())
    given = [axes] if isinstance(axes, int) else list(axes or range(x.ndim))
    dims = [a % x.ndim for a in given]
    ours = sorted(x.axis(a) for a in dims)
    if name in ("ops.mean", "ops.max") and ours == list(range(1, x.ndim - 1)) and x.axes[0] == 0:
        layer = word("global_avg_pool" if name == "ops.mean" else "global_max_pool")
    else:
        layer = word(name)(axis=tuple(ours) if len(ours) > 1 else ours[0], **options)
    layer = layer(keepdims=True) if keepdim else layer
    kept: Any = x.axes if keepdim else tuple(a - sum(d < a for d in dims) for a in x.axes if a not in dims)
    return low.emit(layer, x, shape=shape, axes=kept)


@rule("aten.cosine_similarity")
def _cosine_similarity(lowering, node, a, b, axis=1, epsilon=1e-8):
    layer = word("cosine_similarity")(axis=axis, epsilon=epsilon)
    return lowering.emit(layer, lowering.as_source(a), lowering.as_source(b), axes=identity_axes(len(lowering.shape)))


@rule("aten.pairwise_distance")
def _pairwise_distance(lowering, node, a, b, order=2.0, epsilon=1e-6, keepdim=False):
    layer = word("pairwise_distance")(order=float(order), epsilon=epsilon, keepdims=keepdim)
    return lowering.emit(layer, lowering.as_source(a), lowering.as_source(b), axes=identity_axes(len(lowering.shape)))
