"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.tensorflow.rules.dense import add_weight
from compose.port.frontends.tensorflow.values import Value, Weight
from compose.port.lowering.registry import rule, rules

PLAIN = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Selu": "selu", "Elu": "elu",
    "Softplus": "softplus", "Softsign": "soft_sign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Rsqrt": "rsqrt",
    "Square": "square", "Sin": "sin", "Cos": "cos", "Erf": "erf", "Reciprocal": "reciprocal", "Inv": "reciprocal",
    "Abs": "abs", "Sign": "sign", "Expm1": "expm1", "Log1p": "log1p", "Tan": "tan", "Asin": "asin", "Acos": "acos",
    "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh",
    "Floor": "floor", "Ceil": "ceil", "Round": "round", "Rint": "round", "StopGradient": "stop_gradient",
}  # fmt: skip


@rules(*(f"tf.{name}" for name in PLAIN))
def _plain(low, op, x):
    return low.each(word(PLAIN[op.type]), x)


@rules("tf.Softmax", "tf.LogSoftmax")
def _softmax(low, op, x):
    return low.along(word("softmax" if op.type == "Softmax" else "log_softmax"), x)


@rule("tf.Neg")
def _neg(low, op, x):
    return low.each(word("scale")(by=-1.0), x)


@rule("tf.Erfc")
def _erfc(low, op, x):
    return low.along(word("add_constant")(value=1.0), low.along(word("scale")(by=-1.0), low.along(word("erf"), x)))


@rule("tf.Pow")
def _pow(low, op, x, exponent):
    if isinstance(x, np.ndarray) and x.size == 1 and x.ravel()[0] > 0 and isinstance(exponent, Value):
        return low.along(word("exp"), low.along(word("scale")(by=float(np.log(x.ravel()[0]))), exponent))
    if not isinstance(x, Value) or isinstance(exponent, (Value, Weight)) or exponent.size != 1:
        raise PortError("a value to the power of a number")
    power = float(exponent.reshape(-1)[0])
    return low.each(word("square") if power == 2 else word("power")(exponent=power), x)


@rules(
    "tf.Identity",
    "tf.Snapshot",
    "tf.PreventGradient",
    "tf.CheckNumerics",
    "tf.EnsureShape",
    "tf.PlaceholderWithDefault",
)
def _identity(low, op, x, *_):
    return x


@rule("tf.IdentityN")
def _identities(low, op, *xs):
    return list(xs)


@rule("tf.Cast")
def _cast(low, op, x):
    before, after = op.inputs[0].dtype, op.outputs[0].dtype
    if before == after or (before.is_integer and after.is_integer):
        return x
    if after == tf.bool or before.is_complex or after.is_complex:
        raise PortError(f"a cast to floats or whole numbers, got one from {before.name} to {after.name}")
    return low.emit(word("as_dtype")(dtype=word("float32" if after.is_floating else "int32")), low.whole(x))


# Two operands.


@rules("tf.Add", "tf.AddV2")
def _add(low, op, a, b):
    return _two(low, "add", a, b)


@rule("tf.AddN")
def _add_n(low, op, *xs):
    return low.emit(word("add"), *map(low.whole, xs))


@rule("tf.Mul")
def _mul(low, op, a, b):
    return _two(low, "multiply", a, b)


@rule("tf.Sub")
def _sub(low, op, a, b):
    if isinstance(b, Value) and not isinstance(a, Value):
        return _two(low, "add", low.along(word("scale")(by=-1.0), b), a)
    return _two(low, "add", a, -b) if isinstance(b, np.ndarray) else _two(low, "subtract", a, b)


@rules("tf.RealDiv", "tf.Div", "tf.DivNoNan")
def _div(low, op, a, b):
    if op.type == "DivNoNan" and not (isinstance(b, np.ndarray) and b.all()):
        raise PortError("a division by numbers that are not 0: tf.where(b == 0, 0.0, a / b) says it with layers")
    if isinstance(b, Value) and not isinstance(a, Value):
        return _two(low, "multiply", low.along(word("reciprocal"), b), a)
    return _two(low, "multiply", a, 1 / b) if isinstance(b, np.ndarray) else _two(low, "divide", a, b)


@rules("tf.FloorDiv", "tf.FloorMod")
def _whole_times(low, op, a, b):
    if not isinstance(a, Value) or not isinstance(b, np.ndarray) or not op.outputs[0].dtype.is_floating:
        raise PortError(f"{op.type} of a floating-point value by numbers")
    times = low.along(word("floor"), _two(low, "multiply", a, 1 / b))
    return times if op.type == "FloorDiv" else _two(low, "subtract", a, _two(low, "multiply", times, b))


@rule("tf.SquaredDifference")
def _squared_difference(low, op, a, b):
    a, b = (b, a) if not isinstance(a, Value) else (a, b)
    d = _two(low, "add", a, -b) if isinstance(b, np.ndarray) else _two(low, "subtract", a, b)
    return low.each(word("square"), d)


@rules("tf.Maximum", "tf.Minimum")
def _extremes(low, op, a, b):
    name, side = op.type.lower(), "low" if op.type == "Maximum" else "high"
    value, bound = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(bound, np.ndarray) or np.ptp(bound) != 0:
        return low.emit(word(name), *(as_value(low, v, value) for v in (a, b)))
    limit = float(bound.ravel()[0])
    if side == "low" and limit == 0 and value is b:  # where both are equal the gradient is the first one's
        return low.each(word("relu"), value)
    before = None if low.is_shared(value) else low.producer(value)
    if before is not None and before.layer.kind == "clip" and [k for k, _ in before.layer.options] != [side]:
        ends = {**dict(before.layer.options), side: limit}
        if len(ends) == 2 and ends["low"] < ends["high"]:
            low.replace_op(before, layer=word("clip")(**dict(sorted(ends.items(), reverse=True))))
            return value.but(shape=low.shape, ours=value.ours if value.ours != value.shape else low.shape)
    return low.each(word("clip")(**{side: limit}), value)


@rule("tf.ClipByValue")
def _clip(low, op, x, least, most):
    return low.each(word("clip")(low=float(least), high=float(most)), x)


_CONSTANT = {"add": ("add_constant", "value", 0.0), "multiply": ("scale", "by", 1.0)}


def _two(low: Any, operator: str, a: Any, b: Any) -> Value:
    if isinstance(a, Value) and isinstance(b, Value):
        if a.ours == b.ours != a.shape and a.shape == b.shape:
            return low.emit(word(operator), a, b, ours=a.ours)
        pair = low.whole(a), low.whole(b)
        turned = low.behind(*pair) if a.shape == b.shape else None
        if turned is not None:
            return low.permuted(low.emit(word(operator), *turned[0], shape=turned[0][0].shape), turned[1])
        if operator == "add" and a.ndim == b.ndim:  # a sum with a shortcut is one of equal shapes
            spread = lambda v: low.emit(word("broadcast_to")(*low.shape[1:]), v)
            pair = tuple(v if v.shape == low.shape else spread(v) for v in pair)
        return low.emit(word(operator), *pair)
    if not isinstance(a, Value) and operator in _CONSTANT:
        a, b = b, a
    a = a if isinstance(a, Value) else low.whole(a)
    if operator not in _CONSTANT:
        return low.emit(word(operator), low.whole(a), as_value(low, b, a))
    if isinstance(b, Weight):
        return add_weight(low, a, b) if operator == "add" else _scaled(low, a, b)
    if np.ptp(b) != 0:
        held = Weight.constant(_each(b, a))
        return add_weight(low, a, held) if operator == "add" else _scaled(low, a, held)
    name, option, idle = _CONSTANT[operator]
    number = float(b.ravel()[0])
    return a if number == idle and a.shape == low.shape else low.each(word(name)(**{option: number}), a)


def as_value(low: Any, given: Any, like: Value) -> Value:
    """A variable or numbers as a value, the same for each example, that broadcasts with another."""
    if isinstance(given, Value):
        return low.whole(given)
    if isinstance(given, np.ndarray):
        given = Weight.constant(_each(given, like))
    sizes = (1,) * (like.ndim - 1 - len(given.shape)) + tuple(given.shape)
    if len(sizes) > like.ndim - 1:
        raise PortError(f"a variable with fewer axes than the value, got {given.shape} with {like.shape}")
    held = given if sizes == given.shape else given.reshaped(sizes)
    return low.emit(word("parameter")(*sizes), low.whole(like), shape=(like.shape[0], *sizes), weights={"value": held})


def _each(array: np.ndarray, x: Value) -> np.ndarray:
    """What an array is for each example. Raises `PortError` where it is not the same for all."""
    if array.ndim == x.ndim and array.shape[0] > 1:
        if np.ptp(array, 0).any():
            raise PortError(f"an array that is the same for each example, got one of shape {array.shape}")
        array = array[:1]
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return array


def _scaled(low: Any, x: Value, weight: Weight) -> Value:
    plain = weight.shape == x.shape[-1:]
    layer = word("learned_scale") if plain else word("learned_scale")(shape=weight.shape)
    return low.emit(layer, low.whole(x), weights={"scale": weight})
