"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.literals import SELU
from compose.port.ir.weights import Take
from compose.port.lowering.registry import rule, rules
from compose.port.lowering.values import Value, Weight

PLAIN = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hard_swish", "Mish": "mish",
    "Softplus": "softplus", "Softsign": "soft_sign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Abs": "abs",
    "Sin": "sin", "Cos": "cos", "Erf": "erf", "Reciprocal": "reciprocal", "Sign": "sign", "compose.Silu": "silu",
    "compose.Square": "square", "compose.LogSigmoid": "log_sigmoid", "compose.Relu6": "relu6",
    "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh", "Atan": "atan", "Atanh": "atanh", "Tan": "tan",
    "Sinh": "sinh", "Cosh": "cosh", "Floor": "floor", "Ceil": "ceil", "Round": "round",
}  # fmt: skip


@rules(*(f"onnx.{name}" for name in PLAIN))
def _plain(low, node, x):
    return low.emit(word(PLAIN[node.op.removeprefix("onnx.")]), low.value(x))


@rules("onnx.Gelu", "onnx.compose.Gelu")
def _gelu(low, node, x):
    gelu = word("gelu")
    return low.emit(gelu(approximate=True) if node.get("approximate") == "tanh" else gelu, x)


@rule("onnx.LeakyRelu")
def _leaky_relu(low, node, x):
    return low.emit(word("leaky_relu")(negative_slope=node.get("alpha", 0.01)), x)


@rule("onnx.Elu")
def _elu(low, node, x):
    return low.emit(word("elu")(alpha=node.get("alpha", 1.0)), x)


@rule("onnx.Celu")
def _celu(low, node, x):
    return low.emit(word("celu")(alpha=node.get("alpha", 1.0)), x)


@rule("onnx.Selu")
def _selu(low, node, x):
    alpha, gamma = node.get("alpha", SELU[0]), node.get("gamma", SELU[1])
    if (alpha, gamma) == SELU:
        return low.emit(word("selu"), x)
    return low.emit(word("scale")(by=gamma), low.emit(word("elu")(alpha=alpha), x))


@rule("onnx.HardSigmoid")
def _hard_sigmoid(low, node, x):
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if (alpha, beta) == (1 / 6, 0.5):
        return low.emit(word("hard_sigmoid"), x)
    x = low.emit(word("add_constant")(value=beta), low.emit(word("scale")(by=alpha), x))
    return low.emit(word("hard_tanh")(min_value=0.0), x)


@rule("onnx.ThresholdedRelu")
def _thresholded(low, node, x):
    return low.emit(word("threshold")(threshold=node.get("alpha", 1.0), value=0.0), x)


@rule("onnx.PRelu")
def _prelu(low, node, x, slope):
    weight = low.weight(slope)
    if weight.array.size == 1:
        return low.emit(word("prelu"), x, weights={"negative_slope": _shaped(weight, ())})
    x = low.channels_last(x)
    if weight.array.size != x.ours[-1] or weight.shape[0] != x.ours[-1]:
        raise PortError(f"one slope, or one for each channel, got slopes of shape {weight.shape}")
    return low.emit(word("prelu")(axes=(-1,)), x, weights={"negative_slope": _shaped(weight, (x.ours[-1],))})


@rule("onnx.Clip")
def _clip(low, node, x, least=None, most=None):
    bounds = [None if b is None else float(low.known(b).item()) for b in (least, most)]
    if bounds == [0, 6]:
        return low.emit(word("relu6"), x)
    if bounds == [0, None]:
        return low.emit(word("relu"), x)
    low_end, high_end = bounds
    return low.emit(word("clip")(**{k: v for k, v in (("low", low_end), ("high", high_end)) if v is not None}), x)


@rules("onnx.Softmax", "onnx.LogSoftmax")
def _softmax(low, node, x):
    layer = word("log_softmax" if "Log" in node.op else "softmax")
    x = low.whole(x)
    at = x.axis(node.get("axis", -1))
    return low.emit(layer if at == x.ndim - 1 else layer(axis=at), x)


@rule("onnx.compose.Softplus")
def _softplus(low, node, x):
    return low.emit(word("softplus")(beta=node.get("beta"), threshold=node.get("threshold")), x)


@rule("onnx.Neg")
def _neg(low, node, x):
    return low.emit(word("scale")(by=-1), x)


@rule("onnx.Pow")
def _pow(low, node, x, exponent):
    power = number(low, exponent)
    if power is None or not isinstance(x, Value) or low.graph.kinds.get(node.outputs[0]) in WHOLE:
        raise PortError("a power of a value by a number")
    return low.emit(word("square") if power == 2 else word("power")(exponent=float(power)), x)


@rule("onnx.Swish")
def _swish(low, node, x):
    if node.get("alpha", 1.0) != 1:
        raise PortError(f"a swish with alpha of 1, got {node.get('alpha')}")
    return low.emit(word("silu"), x)


@rule("onnx.Shrink")
def _shrink(low, node, x):
    bias, threshold = node.get("bias", 0.0), node.get("lambd", 0.5)
    if bias not in (0, threshold):
        raise PortError(f"a shrink by nothing or by its lambd, got {bias} and {threshold}")
    return low.emit(word("soft_shrink" if bias else "hard_shrink")(threshold=threshold), x)


# Two operands.

WHOLE = (TensorProto.INT32, TensorProto.INT64, TensorProto.INT16, TensorProto.INT8, TensorProto.UINT8)


@rule("onnx.Add")
def _add(low, node, a, b):
    return _two(low, "add", a, b)


@rule("onnx.Sub")
def _sub(low, node, a, b):
    term = number(low, b)
    if term is not None:
        return low.emit(word("add_constant")(value=-term), a)
    if not isinstance(a, Value):
        return _two(low, "add", low.emit(word("scale")(by=-1), b), a)
    return _two(low, "subtract", a, b)


@rule("onnx.Mul")
def _mul(low, node, a, b):
    return _two(low, "multiply", a, b)


@rule("onnx.Div")
def _div(low, node, a, b):
    if low.graph.kinds.get(node.outputs[0]) in WHOLE:
        raise PortError("a quotient of floats, got one of whole numbers")
    divisor = number(low, b)
    if divisor is not None:
        return low.emit(word("scale")(by=1 / divisor), a)
    if not isinstance(a, Value):
        return _two(low, "multiply", low.emit(word("reciprocal"), b), a)
    return _two(low, "divide", a, b)


@rules("onnx.Sum", "onnx.Mean", "onnx.Max", "onnx.Min")
def _several(low, node, *xs):
    name = {"Sum": "add", "Mean": "average", "Max": "maximum", "Min": "minimum"}[node.op.removeprefix("onnx.")]
    if len(xs) == 2 and name in ("maximum", "minimum"):
        a, b = xs if isinstance(xs[0], Value) else xs[::-1]
        bound = number(low, b)
        if bound is not None:
            option = {"maximum": "low", "minimum": "high"}[name]
            return low.emit(word("relu") if (name, bound) == ("maximum", 0) else word("clip")(**{option: bound}), a)
    values = [low.value(x) for x in xs]
    first = values[0]
    if any(v.ndim != first.ndim for v in values):
        raise PortError(f"inputs of {node.op} with as many axes each")
    return low.emit(word(name), *(low.moved(v, first.axes) for v in values), axes=first.axes)


def number(low, x: Any) -> float | None:
    """A constant of one element as a number, whole where its type is."""
    if isinstance(x, Value) or x is None:
        return None
    array = x.array if isinstance(x, Weight) else x
    if not isinstance(array, np.ndarray) or array.size != 1:
        return None
    return float(low.fixed(x).item()) if array.dtype.kind == "f" else low.fixed(x).item()


_CONSTANT = {"add": ("add_constant", "value"), "multiply": ("scale", "by")}


def _two(low, operator: str, a: Any, b: Any):
    if isinstance(a, Value) and isinstance(b, Value):
        return low.joined(operator, a, b)
    a, b = (a, b) if isinstance(a, Value) else (b, a)
    value = number(low, b)
    if value is not None and operator in _CONSTANT:
        name, option = _CONSTANT[operator]
        idle = value == (0 if operator == "add" else 1)
        return a if idle and low.shape == a.shape else low.emit(word(name)(**{option: value}), a)
    return with_weight(low, operator, low.value(a), low.weight(b, repeated=True))


def with_weight(low, operator: str, x: Value, weight: Weight):
    """`x + w`, `x * w`, `x - w` and `x / w` for a learned w that broadcasts."""
    name = {"add": "learned_bias", "multiply": "learned_scale"}.get(operator)
    if name is None:
        raise PortError(f"a sum or product with a parameter, got {operator}")
    x, shape = low.whole(x), low.shape
    if len(shape) == x.ndim and shape[0] == x.shape[0] and x.axes[0] == 0 and shape != x.shape:
        x = low.emit(word("broadcast_to")(*(shape[a] for a in x.axes[1:])), x, shape=shape, axes=x.axes)
    if shape != x.shape:
        raise PortError(f"a parameter that broadcasts to {x.shape}, got {weight.shape}")
    full = (1,) * (x.ndim - len(weight.shape)) + weight.shape
    lead = full[x.axes[0]] if x.ndim else 1
    if lead != 1:
        raise PortError(f"a parameter that is the same for the whole batch, got {weight.shape}")
    moved = tuple(full[a] for a in x.axes)
    real = [a for a in x.axes if full[a] != 1]
    plain = tuple(moved[next((i for i, n in enumerate(moved) if n != 1), len(moved) - 1) :])
    take = weight.take
    if plain != weight.shape or real != sorted(real):
        change = Take(take.source, rows=take.rows, split=full, axes=x.axes, shape=plain)
        take = change if real != sorted(real) else Take(take.source, rows=take.rows, shape=plain)
    layer = word(name)() if plain == (x.ours[-1],) else word(name)(plain)
    return low.emit(layer, x, weights={name.removeprefix("learned_"): take})


def _shaped(weight: Weight, shape: tuple[int, ...]) -> Take:
    return Take(weight.take.source, rows=weight.take.rows, shape=shape)
