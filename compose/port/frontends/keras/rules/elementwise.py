"""Functions of each element, and arithmetic."""

from __future__ import annotations

import functools
import math
from typing import Any

import keras

from compose.core.errors import PortError
from compose.core.registry import known, word
from compose.port.frontends.keras.as_value import as_value, is_number
from compose.port.frontends.keras.lower import KerasLowering
from compose.port.frontends.keras.registry import rule, rules
from compose.port.lowering.binary import binary, clipped
from compose.port.lowering.values import GraphValue, Operand

ACTIVATIONS = {
    "linear": "identity", "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "softmax": "softmax", "gelu": "gelu",
    "silu": "silu", "swish": "silu", "elu": "elu", "selu": "selu", "softplus": "softplus", "softsign": "soft_sign",
    "hard_sigmoid": "hard_sigmoid", "hard_silu": "hard_swish", "hard_swish": "hard_swish", "relu6": "relu6",
    "mish": "mish",
    "exponential": "ops.exp", "log_softmax": "log_softmax", "leaky_relu": "leaky_relu", "log_sigmoid": "log_sigmoid",
    "tanh_shrink": "tanh_shrink", "celu": "celu", "squareplus": "squareplus", "sparse_plus": "sparse_plus",
    "sparsemax": "sparsemax", "hard_tanh": "hard_tanh", "hard_shrink": "hard_shrink", "soft_shrink": "soft_shrink",
}  # fmt: skip


def activation(fn: Any) -> Any:
    """Our activation for one of Keras's."""
    if fn is None:
        return word("identity")
    if isinstance(fn, keras.Layer):
        return _as_word(fn)
    options = dict(fn.keywords) if isinstance(fn, functools.partial) else {}
    name = getattr(fn.func if isinstance(fn, functools.partial) else fn, "__name__", "")
    if name not in ACTIVATIONS or not known(ACTIVATIONS[name]):
        raise PortError(f"an activation of Keras, got {name or fn!r}; teach yours with @compose.port.rule")
    made = word(ACTIVATIONS[name])
    if name == "leaky_relu":
        options = {"negative_slope": options.get("negative_slope", 0.2)}
    return made(**options) if options else made


def _as_word(layer: Any) -> Any:
    """A layer of Keras that is an activation, as ours."""
    kind = type(layer).__name__
    if kind == "Activation":
        return activation(layer.activation)
    if kind == "ReLU":
        return _rectifier(float(layer.negative_slope), float(layer.threshold), layer.max_value)
    if kind == "LeakyReLU":
        return word("leaky_relu")(negative_slope=float(layer.negative_slope))
    if kind == "ELU":
        return word("elu")(alpha=float(layer.alpha))
    if kind == "Softmax":
        return word("softmax")(axis=layer.axis if isinstance(layer.axis, int) else tuple(layer.axis))
    raise PortError(f"an activation function, got the layer {kind}; put it after the layer")


def _rectifier(slope: float, threshold: float, top: float | None) -> Any:
    if (slope, threshold) == (0, 0) and top in (None, 6):
        return word("relu" if top is None else "relu6")
    if (threshold, top) == (0, None):
        return word("leaky_relu")(negative_slope=slope)
    given = {"max_value": top, "negative_slope": slope, "threshold": threshold}
    return word("relu")(**{k: float(v) for k, v in given.items() if v})


@rules(*(f"keras.layers.{name}" for name in ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")))
def _activation(walk, layer, x):
    return walk.emit(_as_word(layer), x)


@rule("keras.ops.ReLU")
def _relu(walk, op, x):
    """What `keras.activations.relu` runs."""
    return walk.emit(_rectifier(float(op.negative_slope), float(op.threshold), op.max_value), x)


@rules("keras.layers.InputLayer", "keras.layers.Identity", "keras.layers.ActivityRegularization", "keras.ops.Identity")
def _nothing(walk, layer, x):
    return x


_JOINS = ("Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum")


@rules(*(f"keras.layers.{name}" for name in _JOINS))
def _join(walk, layer, xs):
    name = type(layer).__name__
    if name in ("Multiply", "Maximum", "Minimum") and any(mask_of(t) is not None for t in walk.node.input_tensors):
        raise PortError(f"{name} of values without masks; Keras replaces padded steps")
    return walk.emit(word(name.lower()), *xs)


@rule("keras.layers.CustomScaleLayer")
def _scaled_sum(walk, layer, xs):
    """InceptionResNetV2's own."""
    x, y = xs
    return walk.emit(word("add"), x, walk.emit(word("scale")(by=float(layer.scale)), y))


def mask_of(tensor: Any) -> Any:
    """The mask that Keras hangs on a symbolic value, or None."""
    return getattr(tensor, "_keras_mask", None)


_FUNCTIONS = {
    "Arccos": "ops.acos", "Arccosh": "ops.acosh", "Arcsin": "ops.asin", "Arcsinh": "ops.asinh", "Arctan": "ops.atan",
    "Arctanh": "ops.atanh", "Cosh": "ops.cosh", "Sinh": "ops.sinh", "Tan": "ops.tan", "Ceil": "ops.ceil",
    "Floor": "ops.floor", "Expm1": "ops.expm1", "Log1p": "ops.log1p", "StopGradient": "ops.stop_gradient",
    "ConvertToTensor": "identity", "Copy": "identity",
}  # fmt: skip
_OPTIONS = {
    "Argsort": ("ops.argsort", "axis"), "Sort": ("ops.sort", "axis"), "Cumprod": ("ops.cumprod", "axis"),
    "Glu": ("glu", "axis"), "Sparsemax": ("sparsemax", "axis"), "Squareplus": ("squareplus", "b"),
    "SoftShrink": ("soft_shrink", "threshold"), "HardShrink": ("hard_shrink", "threshold"),
}  # fmt: skip
_LOGS = {"Log2": math.log(2), "Log10": math.log(10)}


@rules(*(f"keras.ops.{name}" for name in _FUNCTIONS))
def _function(walk, op, x):
    return walk.emit(word(_FUNCTIONS[type(op).__name__]), x)


@rules(*(f"keras.ops.{name}" for name in _OPTIONS))
def _with_option(walk, op, x):
    name, option = _OPTIONS[type(op).__name__]
    value = getattr(op, option)
    if value is None:
        raise PortError(f"{name} along an axis")
    return walk.emit(word(name)(**{option: float(value) if option != "axis" else value}), x)


@rules("keras.ops.Log2", "keras.ops.Log10")
def _log(walk, op, x):
    return walk.emit(word("scale")(by=1 / _LOGS[type(op).__name__]), walk.emit(word("ops.log"), x))


@rule("keras.ops.Round")
def _round(walk, op, x):
    if op.decimals:
        raise PortError("rounding to whole numbers")
    return walk.emit(word("ops.round"), x)


@rule("keras.ops.Threshold")
def _threshold(walk, op, x):
    return walk.emit(word("threshold")(threshold=float(op.threshold), value=float(op.default_value)), x)


@rule("keras.layers.PReLU")
def _prelu(walk, layer, x):
    shared = layer.shared_axes or []
    axes = tuple(i for i in range(1, len(layer.alpha.shape) + 1) if i not in shared)
    slopes = walk.view(layer.alpha, shape=tuple(layer.alpha.shape[i - 1] for i in axes))
    return walk.emit(word("prelu")(axes), x, weights={"negative_slope": slopes})


@rule("keras.layers.LayerScale")
def _layer_scale(walk, layer, x):
    return walk.emit(word("learned_scale"), x, weights={"scale": layer.gamma})


@rules("keras.ops.Add", "keras.ops.Multiply", "keras.ops.Subtract", "keras.ops.Divide", "keras.ops.TrueDivide")
def _operator(lowering: KerasLowering, op: Any, a: Operand, b: Operand) -> GraphValue:
    return binary(lowering, type(op).__name__.removeprefix("True").lower(), lowering.operand(a), lowering.operand(b))


_PLAIN = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu", "Selu": "selu",
    "Softplus": "softplus", "Softsign": "soft_sign", "LogSigmoid": "log_sigmoid", "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_swish", "TanhShrink": "tanh_shrink", "SparsePlus": "sparse_plus", "HardTanh": "hard_tanh",
    "Exp": "ops.exp", "Log": "ops.log", "Sqrt": "ops.sqrt", "Rsqrt": "ops.rsqrt", "Square": "ops.square",
    "Sin": "ops.sin", "Cos": "ops.cos", "Erf": "ops.erf", "Reciprocal": "ops.reciprocal", "Absolute": "absolute",
    "Abs": "absolute", "Sign": "ops.sign", "Mish": "mish",
}  # fmt: skip


@rules(*(f"keras.ops.{name}" for name in _PLAIN))
def _plain(walk, op, x):
    return walk.emit(word(_PLAIN[type(op).__name__]), x)


@rule("keras.ops.Gelu")
def _gelu(walk, op, x):
    return walk.emit(word("gelu")(approximate=True) if op.approximate else word("gelu"), x)


@rule("keras.ops.LeakyRelu")
def _leaky_relu(walk, op, x):
    return walk.emit(word("leaky_relu")(negative_slope=float(op.negative_slope)), x)


@rules("keras.ops.Elu", "keras.ops.Celu")
def _elu(walk, op, x):
    name = type(op).__name__.lower()
    return walk.emit(word(name)(alpha=float(op.alpha)) if op.alpha != 1 else word(name), x)


@rules("keras.ops.Softmax", "keras.ops.LogSoftmax")
def _softmax(walk, op, x):
    made = word("softmax" if type(op).__name__ == "Softmax" else "log_softmax")
    return walk.emit(made if op.axis == -1 else made(axis=op.axis), x)


@rule("keras.ops.Negative")
def _negative(walk, op, x):
    return walk.emit(walk.minus, x)


@rule("keras.ops.Power")
def _power(walk, op, x, exponent):
    if not is_number(walk, exponent) or not isinstance(x, GraphValue):
        return walk.emit(word("ops.power"), as_value(walk, x), as_value(walk, exponent))
    return walk.emit(word("ops.square") if exponent == 2 else word("ops.power")(x2=walk.plain(exponent)), x)


@rule("keras.ops.Clip")
def _clip(walk, op, x):
    if is_number(walk, op.x_min) and is_number(walk, op.x_max):
        return walk.emit(clipped(walk, min=float(op.x_min), max=float(op.x_max)), x)
    raise PortError("clip by two numbers, or ops.maximum and ops.minimum of values, got other bounds")


@rules("keras.ops.Maximum", "keras.ops.Minimum")
def _extremes(walk, op, a, b):
    if not (is_number(walk, a) or is_number(walk, b)):
        return walk.emit(word(type(op).__name__.lower()), as_value(walk, a), as_value(walk, b))
    low = type(op).__name__ == "Maximum"
    value, bound = (b, a) if is_number(walk, a) else (a, b)
    return walk.emit(clipped(walk, **{"min" if low else "max": float(bound)}), as_value(walk, value))
