"""Activations and other functions of each element."""

from __future__ import annotations

import math
from typing import Any

from compose import ops
from compose.export.source.registry import follows
from compose.export.source.text import arguments, number, options
from compose.export.torch.registry import writes
from compose.export.torch.words.reduce import in_floats
from compose.layers.activation import basic, smooth
from compose.layers.activation.slopes import prelu, rrelu
from compose.layers.activation.softmax import glu, log_softmax, maxout, soft_min, softmax, sparsemax
from compose.layers.augment.color import solarize
from compose.layers.elementwise import absolute, clip
from compose.layers.gamma import digamma, polygamma
from compose.layers.norm.local import unit_norm
from compose.layers.norm.standard import standardize, unstandardize

# The function, the module for a sequence, and which of the word's options are which arguments.
PLAIN: dict[Any, tuple[str, str | None, dict[str, str]]] = {
    basic.relu6: ("F.relu6", "nn.ReLU6", {}),
    basic.leaky_relu: ("F.leaky_relu", "nn.LeakyReLU", {"negative_slope": "negative_slope"}),
    basic.sigmoid: ("torch.sigmoid", "nn.Sigmoid", {}),
    basic.tanh: ("torch.tanh", "nn.Tanh", {}),
    basic.hard_tanh: ("F.hardtanh", "nn.Hardtanh", {"min_value": "min_val", "max_value": "max_val"}),
    basic.hard_sigmoid: ("F.hardsigmoid", "nn.Hardsigmoid", {}),
    basic.hard_swish: ("F.hardswish", "nn.Hardswish", {}),
    basic.hard_shrink: ("F.hardshrink", "nn.Hardshrink", {"threshold": "lambd"}),
    basic.soft_shrink: ("F.softshrink", "nn.Softshrink", {"threshold": "lambd"}),
    basic.threshold: ("F.threshold", "nn.Threshold", {"threshold": "threshold", "value": "value"}),
    smooth.gelu: ("F.gelu", "nn.GELU", {}),
    smooth.silu: ("F.silu", "nn.SiLU", {}),
    smooth.mish: ("F.mish", "nn.Mish", {}),
    smooth.soft_sign: ("F.softsign", "nn.Softsign", {}),
    smooth.log_sigmoid: ("F.logsigmoid", "nn.LogSigmoid", {}),
    smooth.elu: ("F.elu", "nn.ELU", {"alpha": "alpha"}),
    smooth.celu: ("F.celu", "nn.CELU", {"alpha": "alpha"}),
    smooth.selu: ("F.selu", "nn.SELU", {}),
    smooth.tanh_shrink: ("F.tanhshrink", "nn.Tanhshrink", {}),
    absolute: ("torch.abs", None, {}),
    clip: ("torch.clamp", None, {"min": "min", "max": "max"}),
    digamma: ("torch.digamma", None, {}),
}
FUNCTIONS = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "log",
    "log10",
    "log1p",
    "log2",
    "negative",
    "positive",
    "rad2deg",
    "reciprocal",
    "rsqrt",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "logical_not",
    "signbit",
    "conj",
    "real",
    "imag",
    "angle",
]
LINEAR = 40.0  # from here on softplus is its argument in float64 too; torch's formula overflows from 89 on in float32
OTHER = {"fabs": "abs", "rint": "round", "expit": "sigmoid", "logit": "logit", "gammaln": "lgamma", "i0": "i0"}


@writes(*PLAIN)
@follows
def plain(w, layer, p, s, x):
    function, module, names = next(row for word, row in PLAIN.items() if word.fn is layer.fn)
    given = {names[k]: v for k, v in options(layer).items() if k in names}
    if layer.fn is smooth.gelu.fn and options(layer).get("approximate"):
        text = 'approximate="tanh"'
    else:
        text = arguments(given)
    return w.call(x, f"{function}({{}}{', ' * bool(text)}{text})", module and f"{module}({text})")


def _operation(name: str):
    """JAX's function of that name."""
    return getattr(ops, name, None)


@writes(*(op for name in (*FUNCTIONS, *OTHER) if (op := _operation(name)) is not None))
@follows
def function(w, layer, p, s, x):
    name = OTHER.get(layer.kind, layer.kind)
    return w.call(x, f"torch.{name}({{}})", dtype=w.out(layer, x).dtype)


@writes(basic.relu)
@follows
def rectified(w, layer, p, s, x):
    given = options(layer)
    if not given:
        return w.call(x, "F.relu({})", "nn.ReLU()")
    threshold, slope, most = (
        given.get(k, d) for k, d in (("threshold", 0.0), ("negative_slope", 0.0), ("max_value", None))
    )
    x = w.named(x)
    y = w.made(f"torch.where({{}} > {threshold!r}, {{}}, {slope!r} * ({{}} - {threshold!r}))", x, x, x)
    return y if most is None else w.call(y, f"torch.clamp({{}}, max={most!r})")


@writes(smooth.softplus)
@follows
def soft(w, layer, p, s, x):
    given = options(layer)
    beta, limit = given.get("beta", 1.0), given.get("threshold")
    text = f"beta={beta!r}, threshold={number(LINEAR if limit is None else limit)}"
    return w.call(x, f"F.softplus({{}}, {text})", f"nn.Softplus({text})")


@writes(smooth.squareplus)
@follows
def square_root(w, layer, p, s, x):
    return w.call(x, f"0.5 * ({{}} + torch.sqrt({{}} ** 2 + {options(layer).get('b', 4.0)!r}))")


@writes(basic.sparse_plus, basic.sparse_sigmoid)
@follows
def sparse(w, layer, p, s, x):
    if layer.fn is basic.sparse_sigmoid.fn:
        return w.call(x, "F.hardtanh(({} + 1) / 2, 0, 1)")
    return w.call(x, "torch.where({} <= -1, 0, torch.where({} >= 1, {}, ({} + 1) ** 2 / 4))")


@writes(softmax, log_softmax, soft_min)
@follows
def normalized(w, layer, p, s, x):
    axis = options(layer).get("axis", -1)
    if not isinstance(axis, int):
        axes = [x.axis(a) for a in axis]
        return w.call(x, f"torch.exp({{}} - torch.logsumexp({{}}, {axes}, keepdim=True))")
    name = {softmax.fn: ("softmax", "Softmax"), log_softmax.fn: ("log_softmax", "LogSoftmax")}.get(
        layer.fn, ("softmin", "Softmin")
    )
    axis = x.axis(axis) if x.first else axis
    return w.call(x, f"F.{name[0]}({{}}, dim={axis})", f"nn.{name[1]}(dim={axis})")


@writes(glu)
@follows
def gated(w, layer, p, s, x):
    axis = options(layer).get("axis", -1)
    place = x.axis(axis) if x.first else axis
    shape = w.out(layer, x).shape
    return w.call(x, f"F.glu({{}}, dim={place})", f"nn.GLU(dim={place})", shape=shape)


@writes(maxout)
def largest_piece(w, layer, p, s, x):
    n = options(layer).get("pieces", 2)
    return w.call(x, f"{{}}.unflatten(-1, (-1, {n})).amax(-1)", shape=w.out(layer, x).shape)


@writes(sparsemax)
def to_simplex(w, layer, p, s, x):
    return w.call(x, f"{w.part('sparsemax')}({{}}, {options(layer).get('axis', -1)})")


@writes(prelu)
@follows
def parametric(w, layer, p, s, x):
    slope = p["negative_slope"]
    apart = sorted({a % x.ndim for a in layer.axes})
    if not apart or (apart == [x.ndim - 1] and (x.first or x.ndim == 2)):
        return w.module(x, f"nn.PReLU({slope.size if apart else ''})", {"weight": slope.reshape(-1)})
    x = w.last(x)
    shape = [n if i in apart else 1 for i, n in enumerate(x.shape)]
    name = w.parameter(slope.reshape(shape), "negative_slope")
    return w.call(x, f"torch.where({{}} > 0, {{}}, {name} * {{}})")


@writes(rrelu)
@follows
def random_slope(w, layer, p, s, x):
    text = f"{layer.low!r}, {layer.high!r}"
    return w.module(x, f"nn.RReLU({text})")


@writes(standardize, unstandardize)
def standardized(w, layer, p, s, x):
    mean, std = (number(v) if isinstance(v, float) else f"{{}}.new_tensor({list(v)})" for v in (layer.mean, layer.std))
    if layer.channels_first and x.ndim > 2:
        tail = f".view(-1{', 1' * (x.ndim - 2)})"
        mean, std = (t + tail if "new_tensor" in t else t for t in (mean, std))
    x = in_floats(w, x)
    if isinstance(layer, unstandardize):
        return w.call(x, f"{{}} * {std} + {mean}")
    return w.call(x, f"({{}} - {mean}) / {std}")


@writes(unit_norm)
def to_unit(w, layer, p, s, x):
    given = options(layer)
    axis, epsilon = given.get("axis", -1), given.get("epsilon", 1e-12)
    return w.call(x, f"F.normalize({{}}, dim={axis}, eps={math.sqrt(epsilon)!r})")


@writes(polygamma)
@follows
def derivative(w, layer, p, s, x):
    return w.call(x, f"torch.polygamma({options(layer).get('n', 1)}, {{}})")


@writes(solarize)
@follows
def inverted_above(w, layer, p, s, x):
    given = options(layer)
    y = w.named(w.call(x, f"torch.clamp({{}} + {given.get('addition', 0.0)!r}, 0, 1)"))
    return w.call(y, f"torch.where({{}} < {given.get('threshold', 0.5)!r}, {{}}, 1 - {{}})")
