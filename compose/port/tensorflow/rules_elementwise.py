"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.rules import rule, rules
from compose.port.tensorflow.rules_dense import add_weight
from compose.port.tensorflow.values import Value, Weight

PLAIN = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Selu": "selu", "Elu": "elu",
    "Softplus": "softplus", "Softsign": "soft_sign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Rsqrt": "rsqrt",
    "Square": "square", "Sin": "sin", "Cos": "cos", "Erf": "erf", "Reciprocal": "reciprocal", "Inv": "reciprocal",
    "Abs": "abs", "Sign": "sign",
}  # fmt: skip


@rules(*(f"tf.{name}" for name in PLAIN))
def _plain(low, op, x):
    return low.along(word(PLAIN[op.type]), x)


@rules("tf.Softmax", "tf.LogSoftmax")
def _softmax(low, op, x):
    return low.along(word("softmax" if op.type == "Softmax" else "log_softmax"), x)


@rule("tf.Neg")
def _neg(low, op, x):
    return low.along(word("scale")(by=-1.0), x)


@rule("tf.Pow")
def _pow(low, op, x, exponent):
    if not isinstance(x, Value) or isinstance(exponent, (Value, Weight)) or exponent.size != 1:
        raise PortError("a value to the power of a number")
    power = float(exponent.reshape(-1)[0])
    return low.along(word("square") if power == 2 else word("power")(exponent=power), x)


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
    if before != after and not (before.is_integer and after.is_integer):
        raise PortError(f"values of one dtype, got a cast from {before.name} to {after.name}; cast before the model")
    return x


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
    if isinstance(a, np.ndarray):
        return _two(low, "add", low.along(word("scale")(by=-1.0), b), a)
    return _two(low, "add", a, -b) if isinstance(b, np.ndarray) else _two(low, "subtract", a, b)


@rules("tf.RealDiv", "tf.Div", "tf.DivNoNan")
def _div(low, op, a, b):
    if isinstance(a, np.ndarray):
        return _two(low, "multiply", low.along(word("reciprocal"), b), a)
    return _two(low, "multiply", a, 1 / b) if isinstance(b, np.ndarray) else _two(low, "divide", a, b)


@rule("tf.SquaredDifference")
def _squared_difference(low, op, a, b):
    d = _two(low, "add", a, -b) if isinstance(b, np.ndarray) else _two(low, "subtract", a, b)
    return low.along(word("square"), d)


@rules("tf.Maximum", "tf.Minimum")
def _extremes(low, op, a, b):
    if isinstance(a, Value) and isinstance(b, Value):
        return low.emit(word(op.type.lower()), low.whole(a), low.whole(b))
    value, bound = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(value, Value) or not isinstance(bound, np.ndarray) or np.ptp(bound) != 0:
        raise PortError(f"the {op.type.lower()} of two values, or of a value and a number")
    limit = float(bound.ravel()[0])
    if op.type == "Maximum" and limit == 0:
        raise PortError("tf.nn.relu(x): tf.maximum(x, 0.0) has half the gradient of that at 0")
    return low.along(word("clip")(**{"low" if op.type == "Maximum" else "high": limit}), value)


@rule("tf.ClipByValue")
def _clip(low, op, x, least, most):
    return low.along(word("clip")(low=float(least), high=float(most)), x)


_CONSTANT = {"add": ("add_constant", "value", 0.0), "multiply": ("scale", "by", 1.0)}


def _two(low: Any, operator: str, a: Any, b: Any) -> Value:
    if isinstance(a, Value) and isinstance(b, Value):
        if a.ours == b.ours != a.shape and a.shape == b.shape:
            return low.emit(word(operator), a, b, ours=a.ours)
        return low.emit(word(operator), low.whole(a), low.whole(b))
    if not isinstance(a, Value) and operator in _CONSTANT:
        a, b = b, a
    if operator not in _CONSTANT or not isinstance(a, Value):
        raise PortError(f"a value on the left of {operator}, and one or a number on its right")
    if isinstance(b, Weight):
        return add_weight(low, a, b) if operator == "add" else _scaled(low, a, b)
    if np.ptp(b) != 0:
        held = Weight.constant(_each(b, a))
        return add_weight(low, a, held) if operator == "add" else _scaled(low, a, held)
    name, option, idle = _CONSTANT[operator]
    number = float(b.ravel()[0])
    return a if number == idle and a.shape == low.shape else low.along(word(name)(**{option: number}), a)


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
