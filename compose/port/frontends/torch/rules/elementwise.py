"""Functions of each element by itself, of one value or two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.operands import Operands, alone, as_value
from compose.port.frontends.torch.plain import each
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.binary import binary, extreme
from compose.port.lowering.layout_lowering import LayoutLowering
from compose.port.lowering.values import Operand, Value, Weight

PLAIN = {
    "relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "silu": "silu", "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid", "mish": "mish", "relu6": "relu6", "selu": "selu", "log_sigmoid": "log_sigmoid",
    "softsign": "soft_sign", "exp": "ops.exp", "log": "ops.log", "sqrt": "ops.sqrt", "rsqrt": "ops.rsqrt",
    "abs": "absolute", "square": "ops.square", "sin": "ops.sin", "cos": "ops.cos", "erf": "ops.erf",
    "reciprocal": "ops.reciprocal", "log1p": "ops.log1p", "expm1": "ops.expm1", "log2": "ops.log2",
    "log10": "ops.log10", "exp2": "ops.exp2", "floor": "ops.floor", "ceil": "ops.ceil", "trunc": "ops.trunc",
    "tan": "ops.tan", "asin": "ops.asin", "acos": "ops.acos", "atan": "ops.atan", "sinh": "ops.sinh",
    "cosh": "ops.cosh", "asinh": "ops.asinh", "acosh": "ops.acosh", "atanh": "ops.atanh", "erfc": "ops.erfc",
    "erfinv": "ops.erfinv", "lgamma": "ops.gammaln", "digamma": "digamma", "sinc": "ops.sinc",
    "isnan": "ops.isnan", "isinf": "ops.isinf", "isfinite": "ops.isfinite", "deg2rad": "ops.deg2rad",
    "rad2deg": "ops.rad2deg",
}  # fmt: skip


def _plain(lowering: LayoutLowering, node: Any, x: Value):
    name = str(node.target).removeprefix("aten.").rpartition(".")[0].rstrip("_")
    if name == "abs" and node.args[0].meta["val"].is_complex():
        return lowering.emit(word("ops.abs"), x)
    return lowering.emit(word(PLAIN[name]), x)


rules(*(f"aten.{name}" for name in PLAIN))(_plain)


@rules("aten.sign", "aten.sgn")
def _sign(lowering: LayoutLowering, node: Any, x: Value):
    """The sign, which is 0 of NaN in torch, and NaN in JAX."""
    y = lowering.emit(word("ops.sign"), x)
    floats = node.meta["val"].dtype.is_floating_point
    return lowering.emit(word("ops.nan_to_num"), y) if floats else y


@rule("aten.round")
def _round(lowering: LayoutLowering, node: Any, x: Value, decimals: int = 0):
    return lowering.emit(word("ops.round")(decimals=decimals) if decimals else word("ops.round"), x)


@rule("aten.gelu")
def _gelu(lowering: LayoutLowering, node: Any, x: Value, approximate="none"):
    gelu = word("gelu")
    return lowering.emit(gelu(approximate=True) if approximate == "tanh" else gelu, x)


@rule("aten.leaky_relu")
def _leaky_relu(lowering: LayoutLowering, node: Any, x: Value, negative_slope=0.01):
    return lowering.emit(word("leaky_relu")(negative_slope=negative_slope), x)


@rule("aten.prelu")
def _prelu(lowering: LayoutLowering, node: Any, x: Value, slope):
    if slope.shape == (1,):
        return lowering.emit(word("prelu"), x, weights={"negative_slope": replace(slope.view, shape=())})
    x = lowering.channels_last(x)
    return lowering.emit(word("prelu")(axes=(-1,)), x, weights={"negative_slope": slope})


@rule("aten.elu")
def _elu(lowering: LayoutLowering, node: Any, x: Value, alpha=1.0, scale=1, input_scale=1):
    if (scale, input_scale) != (1, 1):
        raise PortError("elu with scales of 1")
    return lowering.emit(word("elu")(alpha=alpha), x)


@rule("aten.softplus")
def _softplus(lowering: LayoutLowering, node: Any, x: Value, beta=1.0, threshold=20.0):
    return lowering.emit(word("softplus")(beta=beta, threshold=threshold), x)


@rule("aten.hardtanh")
def _hardtanh(lowering: LayoutLowering, node: Any, x: Value, low_end=-1.0, high_end=1.0):
    if (low_end, high_end) == (0, 6):
        return lowering.emit(word("relu6"), x)
    return lowering.emit(word("hard_tanh")(min_value=low_end, max_value=high_end), x)


@rule("aten.celu")
def _celu(lowering: LayoutLowering, node: Any, x: Value, alpha=1.0):
    return lowering.emit(word("celu")(alpha=alpha), x)


@rules("aten.hardshrink", "aten.softshrink")
def _shrink(lowering: LayoutLowering, node: Any, x: Value, bound=0.5):
    name = "hard_shrink" if "hard" in str(node.target) else "soft_shrink"
    return lowering.emit(word(name)(threshold=bound), x)


@rule("aten.threshold")
def _threshold(lowering: LayoutLowering, node: Any, x: Value, threshold, value):
    return lowering.emit(word("threshold")(threshold=threshold, value=value), x)


@rule("aten.rrelu")
def _rrelu(lowering: LayoutLowering, node: Any, x: Value, low_end=1 / 8, high_end=1 / 3, train=False):
    if train:
        raise PortError("rrelu in training alone, got it in inference too: rrelu(x, training=self.training)")
    return lowering.emit(word("rrelu")(low_end, high_end), x)


@rules("aten.clamp", "aten.clamp_min", "aten.clamp_max")
def _clamp(lowering: Operands, node: Any, x: Value, first=None, last=None, min=None, max=None):
    below, above = (None, first) if "clamp_max" in str(node.target) else (first, last)
    bounds = {"min": min if below is None else below, "max": max if above is None else above}
    bounds = {k: v for k, v in bounds.items() if v is not None}
    if all(isinstance(v, (int, float)) for v in bounds.values()):
        whole = not node.meta["val"].is_floating_point()
        return lowering.emit(word("ops.clip" if whole else "clip")(**bounds), x)
    for name, joins in (("min", "maximum"), ("max", "minimum")):  # in torch, too, the upper bound comes last
        if name in bounds:
            x = _with(lowering, joins, x, bounds[name])
    return x


@rule("aten.glu")
def _glu(lowering: LayoutLowering, node: Any, x: Value, axis=-1):
    x = lowering.whole(x)
    at = x.axis(axis)
    return lowering.emit(word("glu") if at == x.ndim - 1 else word("glu")(axis=at), x)


@rules("aten.maximum", "aten.minimum")
def _extreme(lowering: LayoutLowering, node: Any, a: Operand, b: Operand):
    return extreme(lowering, str(node.target).split(".")[1], a, b)


@rules("aten.softmax", "aten.log_softmax")
def _softmax(lowering: LayoutLowering, node: Any, x: Value, axis, dtype=None):
    layer = word("log_softmax" if "log" in str(node.target) else "softmax")
    x = lowering.whole(x)
    if not x.ndim:  # of one number
        x = lowering.emit(word("ops.reshape")(shape=(1,)), x, shape=(1,), axes=(0,))
        return lowering.emit(word("ops.sum"), lowering.emit(layer, x, shape=(1,)), shape=(), axes=())
    at = x.axis(axis)
    return lowering.emit(layer if at == x.ndim - 1 else layer(axis=at), x)


_ROOTS = {0.5: "ops.sqrt", -0.5: "ops.rsqrt"}


@rule("aten.pow")
def _pow(lowering: Operands, node: Any, x: Any, exponent: Any):
    known, power = (lowering.number(v) for v in (x, exponent))
    if power in _ROOTS:  # as torch computes them: NaN of minus infinity
        return lowering.emit(word(_ROOTS[power]), x)
    if power is not None:
        return lowering.emit(word("ops.power")(x2=power), x)
    if known is not None:
        return lowering.emit(word("ops.power")(x1=known), exponent)
    return _with(lowering, "ops.power", x, exponent)


def _with(lowering: Operands, operation: str, a: Any, b: Any) -> Value:
    """A layer of a value and what broadcasts to it."""
    like = a if isinstance(a, Value) else b
    if not isinstance(like, Value):
        raise PortError(f"{operation.removeprefix('ops.')} with a value that depends on the input")
    made = lambda v: (
        alone(lowering, v, like) if isinstance(v, Weight) and v.array.size == 1 else as_value(lowering, v, like)
    )
    return lowering.joined(operation, made(a), made(b))


@rules("aten.detach", "aten.detach_")
def _detach(lowering: LayoutLowering, node: Any, x: Value):
    return lowering.emit(word("ops.stop_gradient"), x)


@rule("aten.neg")
def _neg(lowering: LayoutLowering, node: Any, x: Value):
    return lowering.emit(word("scale")(by=-1), x)


# Two operands.
@rule("aten.add")
def _add(lowering: LayoutLowering, node: Any, a: Operand, b: Operand, alpha=1):
    return binary(lowering, "add", a, b if alpha == 1 else _times(lowering, b, alpha))


@rule("aten.sub")
def _sub(lowering: LayoutLowering, node: Any, a: Operand, b: Operand, alpha=1):
    return binary(lowering, "subtract", a, b if alpha == 1 else _times(lowering, b, alpha))


@rule("aten.rsub")
def _rsub(lowering: LayoutLowering, node: Any, a: Value, b: Any, alpha=1):
    if not isinstance(b, (int, float)):
        return binary(lowering, "subtract", b, a if alpha == 1 else _times(lowering, a, alpha))
    return lowering.emit(word("add_constant")(value=b), lowering.emit(word("scale")(by=-alpha), a))


@rule("aten.mul")
def _mul(lowering: LayoutLowering, node: Any, a: Operand, b: Operand):
    return binary(lowering, "multiply", a, b)


@rule("aten.addcmul")
def _addcmul(lowering: LayoutLowering, node: Any, a: Operand, b: Operand, c, value=1):
    product = binary(lowering, "multiply", b, c)
    return binary(lowering, "add", a, product if value == 1 else _times(lowering, product, value))


@rule("aten.div")
def _div(lowering: Operands, node: Any, a: Operand, b: Operand, rounding_mode=None):
    if rounding_mode == "floor":
        return each(lowering, "ops.floor_divide", a, b)
    if rounding_mode == "trunc" and not node.meta["val"].is_floating_point():  # without floats, which round
        rest = each(lowering, "ops.fmod", a, b)
        return each(lowering, "ops.floor_divide", each(lowering, "ops.subtract", a, rest), b)
    made = binary(lowering, "divide", a, b)
    return made if rounding_mode is None else lowering.each(word("ops.trunc"), made)


def _times(lowering: LayoutLowering, b: Any, alpha: float) -> Any:
    return lowering.emit(word("scale")(by=alpha), b) if isinstance(b, Value) else b * alpha
