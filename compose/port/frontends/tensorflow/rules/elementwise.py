"""Functions of each element, and arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.operands import Operands, as_value
from compose.port.frontends.tensorflow.registry import rule, rules
from compose.port.frontends.tensorflow.values import Value
from compose.port.lowering.binary import binary, clipped
from compose.port.lowering.literals import number
from compose.port.lowering.values import Operand

PLAIN = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Selu": "selu", "Elu": "elu",
    "Softplus": "softplus", "Softsign": "soft_sign", "Exp": "ops.exp", "Log": "ops.log", "Sqrt": "ops.sqrt",
    "Rsqrt": "ops.rsqrt", "Square": "ops.square", "Sin": "ops.sin", "Cos": "ops.cos", "Erf": "ops.erf",
    "Reciprocal": "ops.reciprocal", "Inv": "ops.reciprocal", "Abs": "absolute", "Sign": "ops.sign",
    "Expm1": "ops.expm1", "Log1p": "ops.log1p", "Tan": "ops.tan", "Asin": "ops.asin", "Acos": "ops.acos",
    "Atan": "ops.atan", "Sinh": "ops.sinh", "Cosh": "ops.cosh", "Asinh": "ops.asinh", "Acosh": "ops.acosh",
    "Atanh": "ops.atanh", "Floor": "ops.floor", "Ceil": "ops.ceil", "Round": "ops.round", "Rint": "ops.round",
    "StopGradient": "ops.stop_gradient", "Erfc": "ops.erfc", "Erfinv": "ops.erfinv", "Ndtri": "ops.ndtri",
    "Digamma": "ops.digamma", "Lgamma": "ops.gammaln", "IsFinite": "ops.isfinite", "IsInf": "ops.isinf",
    "IsNan": "ops.isnan",
}  # fmt: skip


@rules(*(f"tf.{name}" for name in PLAIN))
def _plain(lowering: Operands, op: tf.Operation, x):
    return lowering.each(word(PLAIN[op.type]), x)


@rules("tf.Softmax", "tf.LogSoftmax")
def _softmax(lowering: Operands, op: tf.Operation, x):
    return lowering.along(word("softmax" if op.type == "Softmax" else "log_softmax"), x)


@rule("tf.Neg")
def _neg(lowering: Operands, op: tf.Operation, x):
    return lowering.each(lowering.minus, x)


@rule("tf.Pow")
def _pow(lowering: Operands, op: tf.Operation, x, exponent):
    if isinstance(x, np.ndarray) and x.size == 1 and x.ravel()[0] > 0 and isinstance(exponent, Value):
        return lowering.along(word("ops.exp"), lowering.along(word("scale")(by=float(np.log(x.ravel()[0]))), exponent))
    if number(exponent) == 2 and isinstance(x, Value):
        return lowering.each(word("ops.square"), lowering.widened(x, exponent))
    return _of_two(lowering, "ops.power", x, exponent)


@rules(
    "tf.Identity",
    "tf.Snapshot",
    "tf.PreventGradient",
    "tf.CheckNumerics",
    "tf.EnsureShape",
    "tf.PlaceholderWithDefault",
)
def _identity(lowering: Operands, op: tf.Operation, x, *_):
    return x


@rule("tf.IdentityN")
def _identities(lowering: Operands, op: tf.Operation, *xs):
    return list(xs)


# Two operands.
@rules("tf.Add", "tf.AddV2")
def _add(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    return binary(lowering, "add", a, b)


@rule("tf.AddN")
def _add_n(lowering: Operands, op: tf.Operation, *xs):
    return lowering.emit(word("add"), *map(lowering.whole, xs))


@rule("tf.Mul")
def _mul(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    return binary(lowering, "multiply", a, b)


@rule("tf.Sub")
def _sub(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    return binary(lowering, "subtract", a, b)


@rules("tf.RealDiv", "tf.Div", "tf.DivNoNan")
def _div(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    if op.type == "DivNoNan" and not (isinstance(b, np.ndarray) and b.all()):
        raise PortError("a division by numbers that are not 0: tf.where(b == 0, 0.0, a / b) says it with layers")
    return binary(lowering, "divide", a, b)


_OF_TWO = {
    "FloorMod": "ops.remainder", "Atan2": "ops.arctan2", "Xlogy": "ops.xlogy",
    "Xlog1py": "ops.xlog1py",
}  # fmt: skip


@rules(*(f"tf.{name}" for name in _OF_TWO))
def _pair(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    return _of_two(lowering, _OF_TWO[op.type], a, b)


@rule("tf.FloorDiv")
def _floor_div(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    if not op.outputs[0].dtype.is_floating:
        return _of_two(lowering, "ops.floor_divide", a, b)
    return lowering.each(word("ops.floor"), _of_two(lowering, "ops.divide", a, b))


def _of_two(lowering: Operands, name: str, a: Operand, b: Operand) -> Value:
    """A layer of two values; a number is its option."""
    a, b = lowering.with_batch(a, b)
    layer, like = word(name), a if isinstance(a, Value) else b
    if not isinstance(like, Value):
        raise PortError(f"{name.removeprefix('ops.')} with a value that depends on the input")
    for option, known, value in zip(layer.__signature__.parameters, (a, b), (b, a)):
        if isinstance(known, np.ndarray) and number(known) is not None and like.shape == lowering.shape:
            return lowering.each(layer(**{option: known.reshape(-1)[0].item()}), value)
    return lowering.emit(layer, *(as_value(lowering, v, like) for v in (a, b)))


@rule("tf.SquaredDifference")
def _squared_difference(lowering: Operands, op: tf.Operation, a: Operand, b: Operand):
    a, b = (b, a) if not isinstance(a, Value) else (a, b)
    return lowering.each(word("ops.square"), binary(lowering, "subtract", a, b))


@rules("tf.Maximum", "tf.Minimum")
def _extremes(lowering: Operands, op: tf.Operation, a: Any, b: Any):
    name, side = op.type.lower(), "min" if op.type == "Maximum" else "max"
    a, b = lowering.with_batch(a, b)
    value, bound = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(bound, np.ndarray) or np.ptp(bound) != 0:
        return lowering.emit(word(name), *(as_value(lowering, v, value) for v in (a, b)))
    value, limit = lowering.widened(value, bound), float(bound.ravel()[0])
    if lowering.of_whole_numbers:
        return lowering.each(clipped(lowering, **{side: limit}), value)
    zero_first = limit == 0 and not isinstance(a, Value)
    if side == "min" and zero_first:  # where both are equal the gradient is the first one's
        return lowering.each(word("relu"), value)
    before = None if lowering.is_shared(value) else lowering.producer(value)
    if before is not None and before.layer.kind == "clip":
        clip: Any = before.layer
        ends = {**dict(clip.options), side: limit}
        if len(clip.options) == 1 and len(ends) == 2 and ends["min"] < ends["max"]:
            lowering.replace_op(before, layer=word("clip")(**dict(sorted(ends.items(), reverse=True))))
            return value.but(shape=lowering.shape, ours=value.ours if value.ours != value.shape else lowering.shape)
    return lowering.each(word("clip")(**{side: limit}), value)


@rule("tf.ClipByValue")
def _clip(lowering: Operands, op: tf.Operation, x, least, most):
    return lowering.each(clipped(lowering, min=float(least), max=float(most)), x)
