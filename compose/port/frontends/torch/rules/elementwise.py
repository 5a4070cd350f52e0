"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.operands import as_value, with_array
from compose.port.lowering.registry import rule, rules
from compose.port.lowering.values import Value, identity_axes

PLAIN = {
    "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "silu": "silu", "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid", "mish": "mish", "relu6": "relu6", "selu": "selu", "log_sigmoid": "log_sigmoid",
    "softsign": "soft_sign", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt", "abs": "abs",
    "square": "square", "sin": "sin", "cos": "cos", "erf": "erf", "reciprocal": "reciprocal", "sign": "sign",
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


@rule("aten.celu")
def _celu(low, node, x, alpha=1.0):
    return low.emit(word("celu")(alpha=alpha), x)


@rules("aten.hardshrink", "aten.softshrink")
def _shrink(low, node, x, bound=0.5):
    name = "hard_shrink" if "hard" in str(node.target) else "soft_shrink"
    return low.emit(word(name)(threshold=bound), x)


@rule("aten.threshold")
def _threshold(low, node, x, threshold, value):
    return low.emit(word("threshold")(threshold=threshold, value=value), x)


@rule("aten.rrelu")
def _rrelu(low, node, x, low_end=1 / 8, high_end=1 / 3, train=False):
    return low.emit(word("rrelu")(low_end, high_end), x)


@rules("aten.clamp", "aten.clamp_min", "aten.clamp_max")
def _clamp(low, node, x, first=None, last=None, min=None, max=None):
    below, above = (None, first) if "clamp_max" in str(node.target) else (first, last)
    bounds = {"low": min if below is None else below, "high": max if above is None else above}
    return low.emit(word("clip")(**{k: v for k, v in bounds.items() if v is not None}), x)


@rule("aten.glu")
def _glu(low, node, x, axis=-1):
    x = low.whole(x)
    at = x.axis(axis)
    return low.emit(word("glu") if at == x.ndim - 1 else word("glu")(axis=at), x)


@rules("aten.maximum", "aten.minimum")
def _extreme(low, node, a, b):
    return _two(low, str(node.target).split(".")[1], a, b)


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


@rule("aten.addcmul")
def _addcmul(low, node, a, b, c, value=1):
    product = _two(low, "multiply", b, c)
    return _two(low, "add", a, product if value == 1 else _times(low, product, value))


@rule("aten.div")
def _div(low, node, a, b, rounding_mode=None):
    if rounding_mode is not None:
        raise PortError(f"a division without rounding, got rounding_mode={rounding_mode!r}")
    if isinstance(b, (int, float)):
        return low.emit(word("scale")(by=1 / b), a)
    return _two(low, "divide", a, b)


_CONSTANT = {"add": ("add_constant", "value"), "multiply": ("scale", "by")}


def _two(low, operator: str, a: Any, b: Any):
    a, b = (v.item() if isinstance(v, np.ndarray) and v.size == 1 else v for v in (a, b))
    if isinstance(a, Value) and isinstance(b, Value):
        return _values(low, operator, a, b)
    if not isinstance(a, Value) and operator in _CONSTANT:
        a, b = b, a
    if not isinstance(a, Value):
        return _from_left(low, operator, a, b)
    if isinstance(b, (int, float)):
        name, option = _CONSTANT[operator]
        if b == {"add": 0, "multiply": 1}[operator]:
            return a
        return low.emit(word(name)(**{option: b}), a)
    if operator in _CONSTANT and len(b.shape) <= a.ndim and low.shape == a.shape:
        return with_array(low, {"add": "learned_bias", "multiply": "learned_scale"}[operator], a, b)
    return _values(low, operator, a, as_value(low, b, a))


def _from_left(low, operator: str, a: Any, b: Any):
    """A number or an array on the left: `1 - x`, `1 / x`."""
    if not isinstance(a, (int, float)):
        return _values(low, operator, as_value(low, a, b), b)
    if operator == "subtract":
        return low.emit(word("add_constant")(value=a), low.emit(word("scale")(by=-1), b))
    inverse = low.emit(word("reciprocal"), b)
    return inverse if a == 1 else low.emit(word("scale")(by=a), inverse)


def _values(low, operator: str, a: Value, b: Value):
    shape = low.shape
    if operator == "add" and a.ndim != b.ndim:
        a, b = (_widened(low, v, len(shape)) for v in (a, b))
    if operator == "add" and a.shape != b.shape:  # a `residual` wants both alike
        a = low.whole(a)
        a, b = (_spread(low, v, shape) for v in (a, low.moved(b, a.axes)))
    return low.joined(operator, a, b)


def _widened(low, x: Value, rank: int) -> Value:
    """With axes of one in front, up to so many."""
    if x.ndim == rank:
        return x
    x, missing = low.as_source(x), rank - x.ndim
    layer = word("expand_dims")(axis=0 if missing == 1 else tuple(range(missing)))
    return low.emit(layer, x, shape=(1,) * missing + x.shape, axes=identity_axes(rank))


def _spread(low, x: Value, shape: tuple[int, ...]) -> Value:
    """Repeated along the axes where it is one, the batch's apart."""
    ours = tuple(shape[a] for a in x.axes[1:])
    if x.ours[1:] == ours or x.axes[0] != 0 or x.shape[0] not in (1, shape[0]):
        return x
    return low.emit(word("broadcast_to")(*ours), x, shape=(x.shape[0], *shape[1:]))


def _times(low, b: Any, alpha: float):
    return low.emit(word("scale")(by=alpha), b) if isinstance(b, Value) else b * alpha
