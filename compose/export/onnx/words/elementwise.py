"""Activations and other functions that ONNX has a node for."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.export.onnx.registry import writes
from compose.layers.activation.basic import (
    hard_shrink,
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    leaky_relu,
    relu,
    relu6,
    sigmoid,
    soft_shrink,
    tanh,
)
from compose.layers.activation.slopes import prelu
from compose.layers.activation.smooth import celu, elu, gelu, log_sigmoid, mish, selu, silu, soft_sign, softplus
from compose.layers.activation.softmax import log_softmax, soft_min, softmax
from compose.layers.elementwise import absolute, clip
from compose.layers.join import maximum, minimum

PLAIN = {
    sigmoid: "Sigmoid", tanh: "Tanh", hard_swish: "HardSwish", mish: "Mish", soft_sign: "Softsign", absolute: "Abs",
}  # fmt: skip


def options(layer: Any) -> dict[str, Any]:
    return dict(layer.options)


def integers(x) -> bool:
    return np.dtype(x.dtype).kind not in "f"


@writes(*PLAIN)
def plain(writer, layer, p, s, x):
    return writer.node(next(op for word, op in PLAIN.items() if word.fn is layer.fn), x)


@writes(relu)
def rectified(writer, layer, p, s, x):
    given = options(layer)
    return NotImplemented if given else writer.node("Relu", x)


@writes(leaky_relu)
def leaky(writer, layer, p, s, x):
    return writer.node("LeakyRelu", x, alpha=float(options(layer).get("negative_slope", 0.01)))


@writes(hard_tanh, relu6, clip)
def clipped(writer, layer, p, s, x):
    given, names = options(layer), {hard_tanh.fn: ("min_value", "max_value"), clip.fn: ("min", "max")}
    defaults = {hard_tanh.fn: (-1.0, 1.0), clip.fn: (None, None)}
    if layer.fn is relu6.fn:
        low, high = 0.0, 6.0
    else:
        low, high = (given.get(n, d) for n, d in zip(names[layer.fn], defaults[layer.fn]))
    if integers(x) or (low is not None and high is not None and low > high):
        return NotImplemented
    if low is None or high is None:  # onnxruntime's Clip takes the largest finite number for a bound that is not given
        bound, op = (high, "Min") if low is None else (low, "Max")
        return x if bound is None else writer.node(op, x, writer.scalar(bound, x))
    return writer.node("Clip", x, *(writer.scalar(v, x) for v in (low, high)))


@writes(hard_sigmoid)
def piecewise(writer, layer, p, s, x):
    return writer.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@writes(hard_shrink, soft_shrink)
def shrunk(writer, layer, p, s, x):
    limit = float(options(layer).get("threshold", 0.5))
    if limit < 0:
        return NotImplemented
    return writer.node("Shrink", x, lambd=limit, bias=limit if layer.fn is soft_shrink.fn else 0.0)


@writes(gelu)
def gaussian(writer, layer, p, s, x):
    return writer.node("Gelu", x, approximate="tanh" if options(layer).get("approximate") else "none")


@writes(silu)
def swish(writer, layer, p, s, x):
    if writer.graph.opset >= 24:
        return writer.node("Swish", x)
    return writer.node("Mul", x, writer.node("Sigmoid", x))


@writes(softplus)
def soft(writer, layer, p, s, x):
    given = options(layer)
    beta, limit = given.get("beta", 1.0), given.get("threshold")
    scaled = x if beta == 1 else writer.node("Mul", x, writer.scalar(beta, x))
    y = writer.node("Softplus", scaled)
    y = y if beta == 1 else writer.node("Div", y, writer.scalar(beta, x))
    if limit is None:
        return y
    return writer.node("Where", writer.node("Greater", scaled, writer.scalar(limit, x), dtype=bool), x, y, like=x)


@writes(log_sigmoid)
def logarithm(writer, layer, p, s, x):
    return writer.node("Neg", writer.node("Softplus", writer.node("Neg", x)))


@writes(elu, celu)
def exponential(writer, layer, p, s, x):
    if layer.fn is celu.fn and np.dtype(x.dtype) == np.float64:
        return NotImplemented  # ONNX's `Celu` is of float32 alone
    alpha = float(options(layer).get("alpha", 1.0))
    return writer.node("Elu" if layer.fn is elu.fn else "Celu", x, alpha=alpha)


@writes(selu)
def scaled(writer, layer, p, s, x):
    return writer.node("Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805)


@writes(softmax, log_softmax)
def normalized(writer, layer, p, s, x):
    axis = options(layer).get("axis", -1)
    if not isinstance(axis, int):
        return NotImplemented
    return writer.node("Softmax" if layer.fn is softmax.fn else "LogSoftmax", x, axis=axis)


@writes(soft_min)
def inverted(writer, layer, p, s, x):
    return writer.node("Softmax", writer.node("Neg", x), axis=options(layer).get("axis", -1))


@writes(prelu)
def parametric(writer, layer, p, s, x):
    slope = p["negative_slope"]
    apart = sorted(a % x.ndim for a in layer.axes)
    shape = [n if i in apart else 1 for i, n in enumerate(x.shape)]
    if 0 in apart:
        return NotImplemented
    flat = slope.reshape(shape[min(apart) :] if apart else (1,)) if isinstance(slope, np.ndarray) else None
    return NotImplemented if flat is None else writer.node("PRelu", x, writer.weight(flat, "negative_slope"))


@writes(maximum, minimum)
def extreme(writer, layer, p, s, x):
    xs = x if isinstance(x, tuple) else (x,)
    if len({np.dtype(v.dtype) for v in xs}) > 1 or np.dtype(xs[0].dtype) == bool:
        return NotImplemented
    out = writer.out(layer, x)
    return writer.node("Max" if layer.fn is maximum.fn else "Min", *xs, shape=out.shape)
