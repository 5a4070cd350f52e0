"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.literals import SELU
from compose.port.frontends.onnx.model import Node
from compose.port.frontends.onnx.operands import Operands
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.ir.weights import View
from compose.port.lowering.binary import binary, bounded, clipped
from compose.port.lowering.values import Operand, Value, Weight, identity_axes

PLAIN = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hard_swish", "Mish": "mish",
    "Softplus": "softplus", "Softsign": "soft_sign", "Exp": "ops.exp", "Log": "ops.log", "Sqrt": "ops.sqrt",
    "Abs": "absolute", "Sin": "ops.sin", "Cos": "ops.cos", "Erf": "ops.erf", "Reciprocal": "ops.reciprocal",
    "Sign": "ops.sign", "compose.Silu": "silu", "compose.Square": "ops.square", "compose.LogSigmoid": "log_sigmoid",
    "compose.Relu6": "relu6", "Acos": "ops.acos", "Acosh": "ops.acosh", "Asin": "ops.asin", "Asinh": "ops.asinh",
    "Atan": "ops.atan", "Atanh": "ops.atanh", "Tan": "ops.tan", "Sinh": "ops.sinh", "Cosh": "ops.cosh",
    "Floor": "ops.floor", "Ceil": "ops.ceil", "Round": "ops.round", "IsNaN": "ops.isnan",
}  # fmt: skip


@rules(*(f"onnx.{name}" for name in PLAIN))
def _plain(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word(PLAIN[node.op.removeprefix("onnx.")]), lowering.value(x))


@rules("onnx.Gelu", "onnx.compose.Gelu")
def _gelu(lowering: Operands, node: Node, x: Value):
    gelu = word("gelu")
    return lowering.emit(gelu(approximate=True) if node.get("approximate") == "tanh" else gelu, x)


@rule("onnx.LeakyRelu")
def _leaky_relu(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word("leaky_relu")(negative_slope=node.get("alpha", 0.01)), x)


@rule("onnx.Elu")
def _elu(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word("elu")(alpha=node.get("alpha", 1.0)), x)


@rule("onnx.Celu")
def _celu(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word("celu")(alpha=node.get("alpha", 1.0)), x)


@rule("onnx.Selu")
def _selu(lowering: Operands, node: Node, x: Value):
    alpha, gamma = node.get("alpha", SELU[0]), node.get("gamma", SELU[1])
    if (alpha, gamma) == SELU:
        return lowering.emit(word("selu"), x)
    return lowering.emit(word("scale")(by=gamma), lowering.emit(word("elu")(alpha=alpha), x))


@rule("onnx.HardSigmoid")
def _hard_sigmoid(lowering: Operands, node: Node, x: Value):
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if (alpha, beta) == (1 / 6, 0.5):
        return lowering.emit(word("hard_sigmoid"), x)
    x = lowering.emit(word("add_constant")(value=beta), lowering.emit(word("scale")(by=alpha), x))
    return lowering.emit(word("hard_tanh")(min_value=0.0), x)


@rule("onnx.ThresholdedRelu")
def _thresholded(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word("threshold")(threshold=node.get("alpha", 1.0), value=0.0), x)


@rule("onnx.PRelu")
def _prelu(lowering: Operands, node: Node, x: Value, slope: Weight | np.ndarray):
    if isinstance(slope, Value):
        return _by_parts(lowering, x, slope)
    weight = lowering.weight(slope)
    if weight.array.size == 1:
        return lowering.emit(word("prelu"), x, weights={"negative_slope": _shaped(weight, ())})
    if x.ndim < 2 or weight.array.size != x.shape[1] or weight.shape[0] != x.shape[1]:
        return _by_parts(lowering, x, slope)
    x = lowering.channels_last(x)
    return lowering.emit(word("prelu")(axes=(-1,)), x, weights={"negative_slope": _shaped(weight, (x.ours[-1],))})


def _by_parts(lowering: Operands, x: Value, slope) -> Value:
    """`max(x, 0) + slope * min(x, 0)`, for slopes of any shape that broadcasts."""
    below = lowering.joined("multiply", lowering.emit(word("clip")(max=0.0), x), lowering.as_value(slope))
    return lowering.joined("add", lowering.emit(word("relu"), x), below)


@rule("onnx.Clip")
def _clip(lowering: Operands, node: Node, x: Value, least=None, most=None):
    if any(isinstance(b, Value) for b in (least, most)):
        for name, bound in (("maximum", least), ("minimum", most)):
            x = x if bound is None else lowering.joined(name, x, lowering.as_value(bound))
        return x
    bounds = {k: float(lowering.known(b).item()) for k, b in (("min", least), ("max", most)) if b is not None}
    rectified = {(("min", 0), ("max", 6)): "relu6", (("min", 0),): "relu"}.get(tuple(bounds.items()))
    if rectified and not lowering.of_whole_numbers:
        return lowering.emit(word(rectified), x)
    return lowering.emit(clipped(lowering, **bounds), x)


@rules("onnx.Softmax", "onnx.LogSoftmax")
def _softmax(lowering: Operands, node: Node, x: Value):
    layer = word("log_softmax" if "Log" in node.op else "softmax")
    x = lowering.whole(x)
    at = x.axis(node.get("axis", -1))
    return lowering.emit(layer if at == x.ndim - 1 else layer(axis=at), x)


@rule("onnx.compose.Softplus")
def _softplus(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word("softplus")(beta=node.get("beta"), threshold=node.get("threshold")), x)


@rule("onnx.Neg")
def _neg(lowering: Operands, node: Node, x: Value):
    return lowering.emit(word("scale")(by=-1), x)


@rule("onnx.Pow")
def _pow(lowering: Operands, node: Node, x: Operand, exponent):
    power = lowering.number(exponent)
    if lowering.graph.kinds.get(node.outputs[0]) in WHOLE:
        raise PortError("a power of floats, got one of whole numbers")
    if power is None or not isinstance(x, Value):
        return lowering.joined("ops.power", lowering.as_value(x), lowering.as_value(exponent))
    return lowering.emit(word("ops.square") if power == 2 else word("ops.power")(x2=float(power)), x)


@rule("onnx.Mod")
def _mod(lowering: Operands, node: Node, a: Operand, b: Operand):
    name = "ops.fmod" if node.get("fmod", 0) else "ops.mod"
    return lowering.joined(name, lowering.as_value(a), lowering.as_value(b))


@rule("onnx.Xor")
def _xor(lowering: Operands, node: Node, a: Operand, b: Operand):
    return lowering.joined("ops.logical_xor", lowering.as_value(a), lowering.as_value(b))


@rule("onnx.Hardmax")
def _hardmax(lowering: Operands, node: Node, x: Value):
    x = lowering.whole(x)
    axis = node.get("axis", -1) % x.ndim
    rest = tuple(a for a in x.axes if a != axis)
    shape = tuple(n for a, n in enumerate(x.shape) if a != axis)
    left = tuple(a - (axis < a) for a in rest)
    place = lowering.emit(word("ops.argmax")(axis=x.axis(axis)), x, shape=shape, axes=left)
    return lowering.emit(word("one_hot")(size=x.shape[axis]), place, shape=x.shape, axes=(*rest, axis))


@rule("onnx.Det")
def _determinant(lowering: Operands, node: Node, x: Value):
    x = lowering.as_source(x)
    return lowering.emit(word("ops.det"), x, axes=identity_axes(x.ndim - 2))


@rule("onnx.Trilu")
def _triangle(lowering: Operands, node: Node, x: Value, k=None):
    x = lowering.as_source(lowering.value(x))
    options = {} if k is None else {"k": int(lowering.known(k).item())}
    return lowering.emit(word("ops.triu" if node.get("upper", 1) else "ops.tril")(**options), x)


@rule("onnx.Swish")
def _swish(lowering: Operands, node: Node, x: Value):
    if node.get("alpha", 1.0) != 1:
        raise PortError(f"a swish with alpha of 1, got {node.get('alpha')}")
    return lowering.emit(word("silu"), x)


@rule("onnx.Shrink")
def _shrink(lowering: Operands, node: Node, x: Value):
    bias, threshold = node.get("bias", 0.0), node.get("lambd", 0.5)
    if bias not in (0, threshold):
        raise PortError(f"a shrink by nothing or by its lambd, got {bias} and {threshold}")
    return lowering.emit(word("soft_shrink" if bias else "hard_shrink")(threshold=threshold), x)


# Two operands.
WHOLE = (TensorProto.INT32, TensorProto.INT64, TensorProto.INT16, TensorProto.INT8, TensorProto.UINT8)


@rule("onnx.Add")
def _add(lowering: Operands, node: Node, a: Operand, b: Operand):
    return binary(lowering, "add", a, b)


@rule("onnx.Sub")
def _sub(lowering: Operands, node: Node, a: Operand, b: Operand):
    return binary(lowering, "subtract", a, b)


@rule("onnx.Mul")
def _mul(lowering: Operands, node: Node, a: Operand, b: Operand):
    return binary(lowering, "multiply", a, b)


@rule("onnx.Div")
def _div(lowering: Operands, node: Node, a: Operand, b: Operand):
    if lowering.graph.kinds.get(node.outputs[0]) in WHOLE:
        raise PortError("a quotient of floats, got one of whole numbers")
    return binary(lowering, "divide", a, b)


@rules("onnx.Sum", "onnx.Mean", "onnx.Max", "onnx.Min")
def _several(lowering: Operands, node: Node, *xs):
    name = {"Sum": "add", "Mean": "average", "Max": "maximum", "Min": "minimum"}[node.op.removeprefix("onnx.")]
    if len(xs) == 2 and name in ("maximum", "minimum"):
        a, b = xs if isinstance(xs[0], Value) else xs[::-1]
        bound = lowering.number(b)
        if bound is not None:
            return lowering.emit(bounded(lowering, name, bound), a)
    values = [lowering.as_value(x) for x in xs]
    first = values[0]
    if len(values) == 1:
        return first
    if all(v.shape == first.shape for v in values):
        return lowering.emit(word(name), *(lowering.moved(v, first.axes) for v in values), axes=first.axes)
    for v in values[1:]:
        shape = tuple(np.broadcast_shapes(first.shape, v.shape))
        first = lowering.joined("add" if name == "average" else name, first, v, shape)
    return lowering.emit(word("scale")(by=1 / len(values)), first) if name == "average" else first


def _shaped(weight: Weight, shape: tuple[int, ...]) -> View:
    return View(weight.view.source, rows=weight.view.rows, shape=shape)
