"""`keras.ops` in functional graphs and in layers of one's own."""

from __future__ import annotations

import math
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.lowering.values import BATCH, GraphValue

_PLAIN = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu", "Selu": "selu",
    "Softplus": "softplus", "Softsign": "soft_sign", "LogSigmoid": "log_sigmoid", "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_swish", "TanhShrink": "tanh_shrink", "SparsePlus": "sparse_plus", "HardTanh": "hard_tanh",
    "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Square": "square", "Sin": "sin", "Cos": "cos",
    "Erf": "erf", "Reciprocal": "reciprocal", "Absolute": "abs", "Abs": "abs", "Sign": "sign",
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
    return walk.emit(word("scale")(by=-1.0), x)


@rule("keras.ops.Power")
def _power(walk, op, x, exponent):
    if not isinstance(exponent, (int, float)) or not isinstance(x, GraphValue):
        raise PortError("a value to the power of a number")
    return walk.emit(word("square") if exponent == 2 else word("power")(exponent=float(exponent)), x)


@rule("keras.ops.Clip")
def _clip(walk, op, x):
    return walk.emit(word("clip")(low=float(op.x_min), high=float(op.x_max)), x)


_REDUCED = ("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Prod", "Var", "Std", "Logsumexp")


@rules(*(f"keras.ops.{name}" for name in _REDUCED))
def _reduce(walk, op, x):
    options: dict[str, Any] = {"keepdims": True} if op.keepdims else {}
    if op.axis is not None:
        axes = list(op.axis) if isinstance(op.axis, (list, tuple)) else [op.axis]
        options["axis"] = tuple(axes) if len(axes) > 1 else axes[0]
    name = type(op).__name__.lower()
    return walk.emit(word({"amax": "max", "amin": "min"}.get(name, name))(**options), x)


@rule("keras.ops.Argmax")
def _argmax(walk, op, x):
    return walk.emit(word("argmax")(axis=op.axis, **({"keepdims": True} if op.keepdims else {})), x)


@rules("keras.ops.Maximum", "keras.ops.Minimum")
def _extremes(walk, op, a, b):
    if isinstance(a, GraphValue) and isinstance(b, GraphValue):
        return walk.emit(word(type(op).__name__.lower()), a, b)
    low = type(op).__name__ == "Maximum"
    value, bound = (a, b) if isinstance(a, GraphValue) else (b, a)
    return walk.emit(word("clip")(**{"low" if low else "high": float(bound)}), value)


@rule("keras.ops.Concatenate")
def _concatenate(walk, op, xs):
    token = walk.weight(xs[0])
    if token is not None and len(xs) == 2 and op.axis == 1 and token.own[:1] == (1,) and len(token.own) == 3:
        made = word("class_token")(token.own[1]) if token.own[1] > 1 else word("class_token")
        return walk.emit(made, xs[1], weights={"token": token.take})
    last = op.axis in (-1, walk.rank - 1)
    return walk.emit(word("concat") if last else word("concat")(axis=op.axis), *xs)


@rule("keras.ops.Stack")
def _stack(walk, op, xs):
    return walk.emit(word("stack_inputs")(axis=op.axis), *xs)


@rule("keras.ops.Split")
def _split(walk, op, x):
    parts = op.indices_or_sections
    if not isinstance(parts, int):
        length = walk.node.input_tensors[0].shape[op.axis]
        ends = (*parts, length)
        parts = tuple(end - start for start, end in zip((0, *parts), ends))
    made = walk.emit(word("split")(parts=parts, axis=op.axis), x)
    return [walk.emit(word("at")(str(i)), made) for i in range(len(walk.node.output_tensors))]


@rule("keras.ops.Reshape")
def _reshape(walk, op, x):
    given, made = (t.shape for t in (walk.node.input_tensors[0], walk.node.output_tensors[0]))
    apart = (
        len(made) > 0 and None not in given[1:] and None not in made[1:] and math.prod(given[1:]) == math.prod(made[1:])
    )
    if apart and op.newshape[0] in (-1, None, BATCH):
        return walk.emit(word("flatten") if len(made) == 2 < len(given) else word("reshape")(*made[1:]), x)
    if any(n is None or (n and n % BATCH == 0) for n in op.newshape):
        raise PortError("a new shape whose sizes are known, one of them at most -1")
    return walk.emit(word("reshape")(*op.newshape, batch=False), x)


@rule("keras.ops.Transpose")
def _transpose(walk, op, x):
    return walk.emit(word("permute")(*(op.axes or reversed(range(walk.rank)))), x)


@rule("keras.ops.Swapaxes")
def _swapaxes(walk, op, x):
    order = list(range(walk.rank))
    order[op.axis1], order[op.axis2] = order[op.axis2], order[op.axis1]
    return walk.emit(word("permute")(*order), x)


@rules("keras.ops.ExpandDims", "keras.ops.Squeeze")
def _axes(walk, op, x):
    axis = tuple(op.axis) if isinstance(op.axis, (list, tuple)) else op.axis
    if axis is None:
        raise PortError("squeeze with an axis")
    return walk.emit(word("expand_dims" if type(op).__name__ == "ExpandDims" else "squeeze")(axis=axis), x)


@rules("keras.ops.Flip", "keras.ops.Cumsum")
def _along(walk, op, x):
    if op.axis is None:
        raise PortError(f"{type(op).__name__.lower()} with an axis")
    return walk.emit(word(type(op).__name__.lower())(axis=op.axis), x)


@rule("keras.ops.Roll")
def _roll(walk, op, x):
    if op.axis is None:
        raise PortError("roll with an axis")
    return walk.emit(word("roll")(shift=op.shift, axis=op.axis), x)


@rule("keras.ops.Cast")
def _cast(walk, op, x):
    given = walk.node.input_tensors[0].dtype
    if given == "bool" and "float" in op.dtype:
        return walk.emit(word("scale")(by=1.0), x)
    if given == op.dtype or ("float" in given and "float" in op.dtype):
        return x
    return walk.emit(word("as_dtype")(dtype=word("float32" if "float" in op.dtype else "int32")), x)


@rule("keras.ops.GetItem")
def _get_item(walk, op, x, key):
    parts = key if isinstance(key, (tuple, list)) else (key,)
    return walk.emit(word("at")(", ".join(map(_index, parts))), x)


def _index(part: Any) -> str:
    if part is Ellipsis:
        return "..."
    if isinstance(part, slice):
        ends = ["" if n is None else str(n) for n in (part.start, part.stop, part.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if part is None or (isinstance(part, int) and not isinstance(part, (GraphValue, bool))):
        return str(part)
    raise PortError("an index of ints, slices, ... and None, none of them data")
