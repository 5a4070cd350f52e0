"""Activations and other functions of each element."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from compose import ops
from compose.combinators.branch import identity
from compose.export.keras.registry import writes
from compose.export.source.text import arguments, number, options
from compose.export.source.value import Value
from compose.layers.activation import basic, smooth
from compose.layers.activation.slopes import prelu, rrelu
from compose.layers.activation.softmax import glu, log_softmax, maxout, soft_min, softmax, sparsemax
from compose.layers.augment.color import solarize
from compose.layers.elementwise import absolute, clip
from compose.layers.norm.local import rescale, unit_norm
from compose.layers.norm.standard import standardize, unstandardize

# The function, and which of the word's options are which arguments.
PLAIN: dict[Any, tuple[str, dict[str, str]]] = {
    basic.relu6: ("ops.relu6", {}),
    basic.leaky_relu: ("ops.leaky_relu", {"negative_slope": "negative_slope"}),
    basic.sigmoid: ("ops.sigmoid", {}),
    basic.tanh: ("ops.tanh", {}),
    basic.hard_sigmoid: ("ops.hard_sigmoid", {}),
    basic.hard_swish: ("ops.hard_silu", {}),
    basic.hard_shrink: ("ops.hard_shrink", {"threshold": "threshold"}),
    basic.soft_shrink: ("ops.soft_shrink", {"threshold": "threshold"}),
    basic.sparse_plus: ("ops.sparse_plus", {}),
    basic.sparse_sigmoid: ("ops.sparse_sigmoid", {}),
    smooth.silu: ("ops.silu", {}),
    smooth.soft_sign: ("ops.softsign", {}),
    smooth.log_sigmoid: ("ops.log_sigmoid", {}),
    smooth.elu: ("ops.elu", {"alpha": "alpha"}),
    smooth.celu: ("ops.celu", {"alpha": "alpha"}),
    smooth.selu: ("ops.selu", {}),
    smooth.squareplus: ("ops.squareplus", {"b": "b"}),
    smooth.tanh_shrink: ("ops.tanh_shrink", {}),
    absolute: ("ops.abs", {}),
}
# Activations that layers take by name, where they have no options.
NAMED = {
    basic.relu: "relu", basic.relu6: "relu6", basic.sigmoid: "sigmoid", basic.tanh: "tanh", softmax: "softmax",
    smooth.gelu: "gelu", smooth.silu: "silu", smooth.selu: "selu", smooth.mish: "mish", smooth.elu: "elu",
    smooth.soft_sign: "softsign", smooth.softplus: "softplus", log_softmax: "log_softmax",
}  # fmt: skip
FUNCTIONS = [
    "abs", "ceil", "cos", "cosh", "deg2rad", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "log", "log10",
    "log1p", "log2", "negative", "rad2deg", "reciprocal", "rsqrt", "sign", "sin", "sinc", "sinh", "sqrt", "square",
    "tan", "tanh", "trunc", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "logical_not", "signbit", "conj",
    "real", "imag", "angle", "i0",
]  # fmt: skip
OTHER = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan", "atanh": "arctanh",
    "fabs": "abs", "rint": "round", "expit": "sigmoid",
}  # fmt: skip


def named(activation: Any) -> str | None:
    """What a layer's `activation=` calls it, or None; None too for the identity."""
    return next((name for word, name in NAMED.items() if activation == word), None)


def activated(w, layer, p, x, text: str, weights: dict, shape: Any) -> Value:
    """A layer with weights and an activation, as an argument or after it."""
    name = named(layer.activation)
    if name is not None:
        text = f'{text[:-1]}, activation="{name}")'
    y = w.module(x, text, weights, shape)
    return y if name is not None or layer.activation == identity else w.inside("activation", layer.activation, p, y)


@writes(*PLAIN)
def plain(w, layer, p, s, x):
    function, names = next(row for word, row in PLAIN.items() if word.fn is layer.fn)
    given = {k: p.default for k, p in inspect.signature(layer.fn).parameters.items()} | options(layer)
    text = arguments({argument: given[k] for k, argument in names.items()})
    return w.call(x, f"{function}({{}}{', ' * bool(text)}{text})")


@writes(smooth.mish)
def self_gated(w, layer, p, s, x):
    return w.module(x, 'layers.Activation("mish")')


@writes(smooth.gelu)
def gaussian(w, layer, p, s, x):
    return w.call(x, f"ops.gelu({{}}, approximate={bool(options(layer).get('approximate'))})")


@writes(basic.hard_tanh, clip)
def limited(w, layer, p, s, x):
    given, usual = options(layer), (-1.0, 1.0) if layer.fn is basic.hard_tanh.fn else (None, None)
    names = ("min_value", "max_value") if layer.fn is basic.hard_tanh.fn else ("min", "max")
    least, most = (given.get(k, d) for k, d in zip(names, usual))
    if least is not None and most is not None:
        return w.call(x, f"ops.clip({{}}, {number(least)}, {number(most)})")
    x = x if least is None else w.call(x, f"ops.maximum({{}}, {number(least)})")
    return x if most is None else w.call(x, f"ops.minimum({{}}, {number(most)})")


@writes(basic.threshold)
def above(w, layer, p, s, x):
    given = options(layer)
    return w.call(x, f"ops.threshold({{}}, {given['threshold']!r}, {given['value']!r})")


@writes(*(op for name in (*FUNCTIONS, *OTHER) if (op := getattr(ops, name, None)) is not None))
def function(w, layer, p, s, x):
    name = OTHER.get(layer.kind, layer.kind)
    return w.call(x, f"ops.{name}({{}})", dtype=w.out(layer, x).dtype)


@writes(basic.relu)
def rectified(w, layer, p, s, x):
    given = options(layer)
    if not given:
        return w.call(x, "ops.relu({})")
    return w.module(x, f"layers.ReLU({arguments(given)})")


@writes(smooth.softplus)
def soft(w, layer, p, s, x):
    given = options(layer)
    beta, limit = given.get("beta", 1.0), given.get("threshold")
    if beta == 1 and limit is None:
        return w.call(x, "ops.softplus({})")
    x = w.named(x)
    y = w.made(f"ops.softplus({{}} * {beta!r}) / {beta!r}", x)
    return y if limit is None else w.made(f"ops.where({{}} * {beta!r} > {limit!r}, {{}}, {{}})", x, x, y)


@writes(softmax, log_softmax, soft_min)
def normalized(w, layer, p, s, x):
    axis = options(layer).get("axis", -1)
    name = "log_softmax" if layer.fn is log_softmax.fn else "softmax"
    x = w.call(x, "-{}") if layer.fn is soft_min.fn else x
    if not isinstance(axis, int) and name == "log_softmax":
        return w.call(x, f"{{}} - ops.logsumexp({{}}, axis={tuple(axis)}, keepdims=True)")
    return w.call(x, f"ops.{name}({{}}, axis={axis if isinstance(axis, int) else tuple(axis)})")


@writes(glu)
def gated(w, layer, p, s, x):
    return w.call(x, f"ops.glu({{}}, axis={options(layer).get('axis', -1)})", shape=w.out(layer, x).shape)


@writes(maxout)
def largest_piece(w, layer, p, s, x):
    n, out = options(layer).get("pieces", 2), w.out(layer, x).shape
    return w.call(x, f"ops.max(ops.reshape({{}}, {(-1, *out[1:], n)}), axis=-1)", shape=out)


@writes(sparsemax)
def to_simplex(w, layer, p, s, x):
    return w.call(w.named(x), f"{w.part('sparsemax')}({{}}, {options(layer).get('axis', -1)})")


@writes(prelu)
def parametric(w, layer, p, s, x):
    slope, apart = p["negative_slope"], {a % x.ndim for a in layer.axes}
    shared = [i for i in range(1, x.ndim) if i not in apart]
    alpha = slope.reshape([n if i in apart else 1 for i, n in enumerate(x.shape) if i])
    return w.module(x, f"layers.PReLU({f'shared_axes={shared}' if shared else ''})", {"alpha": alpha})


@writes(rrelu)
def random_slope(w, layer, p, s, x):
    w.note(f"{layer} has its mean slope in training too.")
    return w.call(x, f"ops.leaky_relu({{}}, {(layer.low + layer.high) / 2!r})")


@writes(rescale, standardize, unstandardize)
def affine(w, layer, p, s, x):
    out = w.out(layer, x)
    if isinstance(layer, rescale):
        factor, offset = layer.factor, layer.offset
    else:
        mean, std = (_along(layer, x, np.asarray(v, np.float64)) for v in (layer.mean, layer.std))
        unscaled = isinstance(layer, unstandardize)
        factor, offset = (std, mean) if unscaled else (1 / std, -mean / std)
        factor, offset = factor.tolist(), offset.tolist()
    tail = f", offset={offset}" if np.any(offset) else ""
    return w.module(x, f"layers.Rescaling({factor}{tail})", dtype=out.dtype)


def _along(layer: Any, x: Value, values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *[1] * (x.ndim - 2)) if layer.channels_first and x.ndim > 2 and values.ndim else values


@writes(unit_norm)
def to_unit(w, layer, p, s, x):
    given = options(layer)
    axis, epsilon = given.get("axis", -1), given.get("epsilon", 1e-12)
    if epsilon == 1e-12:
        return w.module(x, f"layers.UnitNormalization({f'axis={axis}' if axis != -1 else ''})")
    total = f"ops.sum(ops.square({{}}), axis={axis}, keepdims=True)"
    return w.call(x, f"{{}} / ops.sqrt(ops.maximum({total}, {epsilon!r}))")


@writes(solarize)
def inverted_above(w, layer, p, s, x):
    given = options(layer)
    y = w.named(w.call(x, f"ops.clip({{}} + {given.get('addition', 0.0)!r}, 0, 1)"))
    return w.call(y, f"ops.where({{}} < {given.get('threshold', 0.5)!r}, {{}}, 1 - {{}})")
