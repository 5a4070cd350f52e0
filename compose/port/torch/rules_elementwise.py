"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.lowering.values import Value, Weight, identity_axes
from compose.port.rules import rule, rules

PLAIN = {
    "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "silu": "silu", "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid", "mish": "mish", "relu6": "relu6", "selu": "selu", "log_sigmoid": "log_sigmoid",
    "softsign": "soft_sign", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt", "abs": "abs",
    "square": "square", "sin": "sin", "cos": "cos", "erf": "erf", "reciprocal": "reciprocal",
}  # fmt: skip


def _plain(low, node, x):
    name = str(node.target).removeprefix("aten.").rpartition(".")[0].rstrip("_")
    return low.emit(word(PLAIN[name]), x)


rules(*(f"aten.{name}" for name in PLAIN))(_plain)


@rule("aten.gelu")
def _gelu(low, node, x, approximate="none"):
    gelu = word("gelu")
    return low.emit(gelu(approximate=True) if approximate == "tanh" else gelu, x)


@rule("aten.leaky_relu")
def _leaky_relu(low, node, x, negative_slope=0.01):
    return low.emit(word("leaky_relu")(negative_slope=negative_slope), x)


@rule("aten.prelu")
def _prelu(low, node, x, slope):
    if slope.shape == (1,):
        return low.emit(word("prelu"), x, weights={"negative_slope": replace(slope.take, shape=())})
    x = low.channels_last(x)
    return low.emit(word("prelu")(axes=(-1,)), x, weights={"negative_slope": slope})


@rule("aten.elu")
def _elu(low, node, x, alpha=1.0, scale=1, input_scale=1):
    if (scale, input_scale) != (1, 1):
        raise PortError("elu with scales of 1")
    return low.emit(word("elu")(alpha=alpha), x)


@rule("aten.softplus")
def _softplus(low, node, x, beta=1.0, threshold=20.0):
    return low.emit(word("softplus")(beta=beta, threshold=threshold), x)


@rule("aten.hardtanh")
def _hardtanh(low, node, x, low_end=-1.0, high_end=1.0):
    if (low_end, high_end) == (0, 6):
        return low.emit(word("relu6"), x)
    return low.emit(word("hard_tanh")(min_value=low_end, max_value=high_end), x)


@rules("aten.softmax", "aten.log_softmax")
def _softmax(low, node, x, axis, dtype=None):
    layer = word("log_softmax" if "log" in str(node.target) else "softmax")
    x = low.whole(x)
    at = x.axis(axis)
    return low.emit(layer if at == x.ndim - 1 else layer(axis=at), x)


@rule("aten.pow")
def _pow(low, node, x, exponent):
    return low.emit(word("power")(exponent=exponent), x)


@rule("aten.neg")
def _neg(low, node, x):
    return low.emit(word("scale")(by=-1), x)


# Two operands.


@rule("aten.add")
def _add(low, node, a, b, alpha=1):
    return _two(low, "add", a, b if alpha == 1 else _times(low, b, alpha))


@rule("aten.sub")
def _sub(low, node, a, b, alpha=1):
    b = b if alpha == 1 else _times(low, b, alpha)
    if isinstance(b, (int, float)):
        return low.emit(word("add_constant")(value=-b), a)
    return _two(low, "subtract", a, b)


@rule("aten.rsub")
def _rsub(low, node, a, b, alpha=1):
    return low.emit(word("add_constant")(value=b), low.emit(word("scale")(by=-alpha), a))


@rule("aten.mul")
def _mul(low, node, a, b):
    return _two(low, "multiply", a, b)


@rule("aten.div")
def _div(low, node, a, b, rounding_mode=None):
    if rounding_mode is not None:
        raise PortError(f"a division without rounding, got rounding_mode={rounding_mode!r}")
    if isinstance(b, (int, float)):
        return low.emit(word("scale")(by=1 / b), a)
    return _two(low, "divide", a, b)


_CONSTANT = {"add": ("add_constant", "value"), "multiply": ("scale", "by")}


def _two(low, operator: str, a: Any, b: Any):
    if isinstance(a, Value) and isinstance(b, Value):
        return _values(low, operator, a, b)
    if not isinstance(a, Value):
        if operator in ("subtract", "divide"):
            raise PortError(f"a value of the model on the left of {operator}")
        a, b = b, a
    if isinstance(b, np.ndarray) and b.size == 1:
        b = float(b)
    if isinstance(b, (int, float)):
        name, option = _CONSTANT[operator]
        return low.emit(word(name)(**{option: b}), a)
    if isinstance(b, Weight):
        return _weight(low, operator, a, b)
    raise PortError(f"{operator} of a value with a value, a number or a parameter, got an array of shape {np.shape(b)}")


def _values(low, operator: str, a: Value, b: Value):
    shape = low.shape
    if a.unflat is not None or b.unflat is not None:
        a, b = low.whole(a), low.whole(b)
    if a.ndim == b.ndim:
        b = low.moved(b, a.axes)
        return low.emit(word(operator), a, b, shape=shape, axes=a.axes)
    a, b = low.as_source(a), low.as_source(b)
    return low.emit(word(operator), a, b, shape=shape, axes=identity_axes(len(shape)))


def _weight(low, operator: str, x: Value, weight: Weight):
    """`x + w` and `x * w` for a learned w that broadcasts."""
    x = low.as_source(x) if x.axes != identity_axes(x.ndim) else low.whole(x)
    name = {"add": "learned_bias", "multiply": "learned_scale"}.get(operator)
    if name is None:
        raise PortError(f"a sum or product with a parameter, got {operator}")
    return low.emit(word(name)(weight.shape), x, weights={name.removeprefix("learned_"): weight})


def _times(low, b: Any, alpha: float):
    return low.emit(word("scale")(by=alpha), b) if isinstance(b, Value) else b * alpha
