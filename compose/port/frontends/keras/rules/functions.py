"""More of `keras.ops`: functions with a word, order and positions, copies, norms, attention, patches."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.grow import METHODS
from compose.port.frontends.keras.rules.image import layout, one
from compose.port.lowering.values import BATCH, GraphValue

_PLAIN = {
    "Arccos": "acos", "Arccosh": "acosh", "Arcsin": "asin", "Arcsinh": "asinh", "Arctan": "atan", "Arctanh": "atanh",
    "Cosh": "cosh", "Sinh": "sinh", "Tan": "tan", "Ceil": "ceil", "Floor": "floor", "Expm1": "expm1", "Log1p": "log1p",
    "StopGradient": "stop_gradient", "ConvertToTensor": "identity", "Copy": "identity",
}  # fmt: skip
_OPTIONS = {
    "Argsort": ("argsort", "axis"), "Sort": ("sort", "axis"), "Cumprod": ("cumprod", "axis"), "Glu": ("glu", "axis"),
    "Sparsemax": ("sparsemax", "axis"), "Squareplus": ("squareplus", "b"), "SoftShrink": ("soft_shrink", "threshold"),
    "HardShrink": ("hard_shrink", "threshold"),
}  # fmt: skip
_LOGS = {"Log2": math.log(2), "Log10": math.log(10)}


@rules(*(f"keras.ops.{name}" for name in _PLAIN))
def _plain(walk, op, x):
    return walk.emit(word(_PLAIN[type(op).__name__]), x)


@rules(*(f"keras.ops.{name}" for name in _OPTIONS))
def _with_option(walk, op, x):
    name, option = _OPTIONS[type(op).__name__]
    value = getattr(op, option)
    if value is None:
        raise PortError(f"{name} along an axis")
    return walk.emit(word(name)(**{option: float(value) if option != "axis" else value}), x)


@rules("keras.ops.Log2", "keras.ops.Log10")
def _log(walk, op, x):
    return walk.emit(word("scale")(by=1 / _LOGS[type(op).__name__]), walk.emit(word("log"), x))


@rule("keras.ops.Round")
def _round(walk, op, x):
    if op.decimals:
        raise PortError("rounding to whole numbers")
    return walk.emit(word("round"), x)


@rule("keras.ops.Threshold")
def _threshold(walk, op, x):
    return walk.emit(word("threshold")(threshold=float(op.threshold), value=float(op.default_value)), x)


@rule("keras.ops.Argmin")
def _argmin(walk, op, x):
    return walk.emit(word("argmin")(axis=op.axis, **({"keepdims": True} if op.keepdims else {})), x)


@rule("keras.ops.TopK")
def _top_k(walk, op, x):
    both = walk.emit(word("top_k")(k=op.k), x)
    return [walk.emit(word("at")(str(i)), both) for i in (0, 1)]


@rule("keras.ops.TakeAlongAxis")
def _gather(walk, op, x, indices):
    if op.axis is None:
        raise PortError("take_along_axis with an axis")
    return walk.emit(word("gather")(axis=op.axis), x, indices)


@rules("keras.ops.ZerosLike", "keras.ops.OnesLike", "keras.ops.FullLike")
def _alike(walk, op, x, fill_value=None):
    value = {"ZerosLike": 0.0, "OnesLike": 1.0}.get(type(op).__name__, fill_value)
    zeros = walk.emit(word("scale")(by=0.0), x)
    return walk.emit(word("add_constant")(value=float(value or 0.0)), zeros) if value else zeros


@rule("keras.ops.Average")
def _average(walk, op, x, weights=None):
    if weights is not None:
        raise PortError("an average without weights")
    return walk.emit(word("mean")(axis=op.axis), x)


@rule("keras.ops.Moments")
def _moments(walk, op, x):
    axes = tuple(op.axes) if isinstance(op.axes, (list, tuple)) else (op.axes,)
    options: dict[str, Any] = {"axis": axes[0] if len(axes) == 1 else axes}
    options |= {"keepdims": True} if op.keepdims else {}
    return [walk.emit(word(name)(**options), x) for name in ("mean", "var")]


@rule("keras.ops.BroadcastTo")
def _broadcast_to(walk, op, x):
    given = walk.node.input_tensors[0].shape
    if len(given) != len(op.shape) or op.shape[0] not in (None, BATCH, given[0]):
        raise PortError(f"a value broadcast along its own axes, the batch apart, got {given} to {op.shape}")
    return walk.emit(word("broadcast_to")(*op.shape[1:]), x)


@rule("keras.ops.Tile")
def _tile(walk, op, x):
    times = (op.repeats,) if isinstance(op.repeats, int) else tuple(op.repeats)
    if len(times) >= walk.rank and any(n != 1 for n in times[: len(times) - walk.rank + 1]):
        raise PortError(f"copies along the axes after the batch, got {times}")
    return walk.emit(word("tile")(times=times[-(walk.rank - 1) :]), x)


@rule("keras.ops.Repeat")
def _repeat(walk, op, x):
    axis = None if op.axis is None else op.axis % walk.rank
    if not axis or not isinstance(op.repeats, int):
        raise PortError("each value repeated along an axis after the batch")
    sizes = walk.node.output_tensors[0].shape
    times = tuple(op.repeats if i == axis + 1 else 1 for i in range(1, walk.rank + 1))
    y = walk.emit(word("tile")(times=times), walk.emit(word("expand_dims")(axis=axis + 1), x))
    if None in sizes[1:]:
        raise PortError("values of known sizes to repeat")
    return walk.emit(word("reshape")(*sizes[1:]), y)


@rule("keras.ops.Moveaxis")
def _moveaxis(walk, op, x):
    rest = [i for i in range(walk.rank) if i not in [a % walk.rank for a in op.source]]
    for source, place in sorted(zip(op.source, op.destination), key=lambda pair: pair[1] % walk.rank):
        rest.insert(place % walk.rank, source % walk.rank)
    return walk.emit(word("permute")(*rest), x)


@rule("keras.ops.Unstack")
def _unstack(walk, op, x):
    lead = ":, " * (op.axis % walk.rank)
    return [walk.emit(word("at")(f"{lead}{i}"), x) for i in range(len(walk.node.output_tensors))]


@rule("keras.ops.Slice")
def _slice(walk, op, x, start_indices):
    if any(isinstance(v, GraphValue) for v in keras.tree.flatten(start_indices)):
        raise PortError("a slice whose start depends on no data")
    parts, starts = [], [int(v) for v in keras.tree.flatten(start_indices)]
    for i, (start, size) in enumerate(zip(starts, op.shape)):
        whole = i == 0 and size in (None, BATCH, -1)
        parts.append(":" if whole else f"{start or ''}:{start + int(size or 0)}")
    return walk.emit(word("at")(", ".join(parts)), x)


@rules("keras.ops.Hstack", "keras.ops.Vstack")
def _stacked(walk, op, xs):
    if type(op).__name__ == "Vstack" or walk.rank < 2:
        raise PortError("values joined along an axis after the batch")
    return walk.emit(word("concat") if walk.rank == 2 else word("concat")(axis=1), *xs)


@rules("keras.ops.Tril", "keras.ops.Triu")
def _triangle(walk, op, x):
    rows, columns = walk.node.input_tensors[0].shape[-2:]
    if None in (rows, columns):
        raise PortError("matrices of known sizes")
    kept = (np.tril if type(op).__name__ == "Tril" else np.triu)(np.ones((rows, columns)), op.k)
    return walk.with_known("multiply", x, kept)


@rules("keras.ops.LayerNorm", "keras.ops.RMSNorm")
def _norm(walk, op, x, scale=None, beta=None, gamma=None):
    gamma = scale if gamma is None else gamma
    epsilon = float(op.epsilon if op.epsilon is not None else keras.config.epsilon())
    if op.axis not in (-1, walk.rank - 1, [-1], (-1,)) or getattr(op, "rms_scaling", False):
        raise PortError("a norm of the last axis")
    weights = {"scale": gamma, "bias": beta}
    if type(op).__name__ == "RMSNorm":
        return walk.emit(word("rms_norm")(epsilon=epsilon, scale=gamma is not None), x, weights={"scale": gamma})
    made = word("layer_norm")(epsilon=epsilon, scale=gamma is not None, bias=beta is not None)
    return walk.emit(made, x, weights=weights)


@rule("keras.ops.DotProductAttention")
def _attention(walk, op, query, key, value, bias=None, mask=None, scale=None):
    if bias is not None or op.attn_logits_soft_cap is not None:
        raise PortError("attention without a bias on its scores and a cap")
    options: dict[str, Any] = {"causal": True} if op.is_causal else {}
    options |= {} if scale is None else {"scale": float(scale)}
    made = word("scaled_dot_product_attention")
    if mask is not None and not isinstance(mask, GraphValue):
        raise PortError("a mask that is a value; is_causal=True for the causal one")
    inputs = (query, key, value) if mask is None else (query, key, value, mask)
    return walk.emit(made(**options) if options else made, *inputs)


@rule("keras.ops.ExtractPatches")
def _patches(walk, op, x):
    if layout(op) or one(op.dilation_rate) != 1:
        raise PortError("patches of images whose channels are last, without dilation")
    sizes = (op.size,) * 2 if isinstance(op.size, int) else tuple(op.size)
    channels = walk.node.input_tensors[0].shape[-1]
    stride = one(op.size if op.strides is None else op.strides)
    padding = {} if op.padding == "valid" else {"padding": op.padding}
    y = walk.emit(word("unfold")(one(sizes), stride=stride, **padding), x)  # the values of one channel together
    y = walk.emit(word("unflatten")(axis=-1, shape=(channels, math.prod(sizes))), y)
    return walk.emit(word("flatten")(start=3), walk.emit(word("permute")(0, 1, 2, 4, 3), y))


@rule("keras.ops.Resize")
def _resize(walk, op, x):
    if op.crop_to_aspect_ratio or op.pad_to_aspect_ratio or op.interpolation not in METHODS:
        raise PortError("resizing to a size, neither cropped nor padded to keep the ratio of the sides")
    options = layout(op) | ({"antialias": True} if op.antialias else {})
    return walk.emit(word("resize")(one(op.size), METHODS[op.interpolation], **options), x)
