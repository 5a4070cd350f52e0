"""Functions of each element, and arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.flax.inlining import Eqn
from compose.port.frontends.flax.lower import FlaxLowering
from compose.port.frontends.flax.registry import rule, rules
from compose.port.frontends.flax.rules.pool import average
from compose.port.frontends.flax.rules.reduce import keeps, reduced
from compose.port.frontends.flax.values import Value, Weight
from compose.port.lowering.binary import binary, extreme
from compose.port.lowering.literals import number
from compose.port.lowering.values import Operand

_PLAIN = {
    "tanh": "tanh", "logistic": "sigmoid", "exp": "ops.exp", "log": "ops.log", "sqrt": "ops.sqrt", "rsqrt": "ops.rsqrt",
    "sin": "ops.sin", "cos": "ops.cos", "erf": "ops.erf", "abs": "absolute", "sign": "ops.sign", "square": "ops.square",
}  # fmt: skip


@rules(*(f"jax.{name}" for name in _PLAIN))
def _plain(lowering: FlaxLowering, eqn: Eqn, x: Value, **_):
    return lowering.emit(word(_PLAIN[eqn.name]), x)


@rules("jax.copy", "jax.copy_p", "jax.reduce_precision", "jax.sharding_constraint", "jax.optimization_barrier")
def _nothing(lowering: FlaxLowering, eqn: Eqn, *xs):
    return xs


@rule("jax.stop_gradient")
def _stop_gradient(lowering: FlaxLowering, eqn: Eqn, x: Value):
    if isinstance(x, Weight):
        raise PortError(f"stop_gradient of a value, got {x.take.source}; a layer that is not trained is frozen(...)")
    return lowering.emit(word("ops.stop_gradient"), x)


@rule("jax.neg")
def _negative(lowering: FlaxLowering, eqn: Eqn, x: Value):
    return lowering.emit(word("scale")(by=-1.0), x)


@rules("jax.integer_pow", "jax.pow")
def _power(lowering: FlaxLowering, eqn: Eqn, x: Value, exponent=None):
    y = eqn.params.get("y") if exponent is None else number(exponent)
    if y is None or not isinstance(x, Value):
        raise PortError("a value to the power of a number")
    return lowering.emit(word("ops.square") if y == 2 else word("ops.power")(x2=float(y)), x)


@rules("jax.add", "jax.add_any")
def _add(lowering: FlaxLowering, eqn: Eqn, a: Operand, b: Operand):
    return binary(lowering, "add", a, b)


@rule("jax.mul")
def _multiply(lowering: FlaxLowering, eqn: Eqn, a: Operand, b: Operand):
    return binary(lowering, "multiply", a, b)


@rule("jax.sub")
def _subtract(lowering: FlaxLowering, eqn: Eqn, a: Operand, b: Operand):
    return binary(lowering, "subtract", a, b)


@rule("jax.div")
def _divide(lowering: FlaxLowering, eqn: Eqn, a: Operand, b: Operand):
    mean = None if isinstance(b, Value) or not isinstance(a, Value) else _mean(lowering, b)
    return mean or binary(lowering, "divide", a, b)


@rules("jax.max", "jax.min")
def _extremes(lowering: FlaxLowering, eqn: Eqn, a: Operand, b: Operand):
    return extreme(lowering, "maximum" if eqn.name == "max" else "minimum", a, b)


@rule("jax.clamp")
def _clamp(lowering: FlaxLowering, eqn: Eqn, least, x, most):
    return lowering.emit(word("clip")(min=_number(least), max=_number(most)), x)


def _number(constant: Any) -> float:
    value = number(constant)
    if value is None:
        raise PortError(f"bounds that are numbers, got {type(constant).__name__}")
    return value


def _mean(lowering: FlaxLowering, count: Any) -> Value | None:
    """A sum divided by how many there are: over axes, or over windows."""
    before, shape = lowering.maker(0), ()
    x = None if before is None else lowering.seen(before.inputs[0])
    if before is None or not isinstance(x, Value) or not isinstance(count, np.ndarray):
        return None
    if before.name == "reduce_window_sum":
        layer = average(before, count)
        return None if layer is None else lowering.emit(layer, x)
    kept = before.name == "broadcast_in_dim"
    if kept:
        shape, before = before.outputs[0].shape, lowering.makers.get(before.inputs[0])
        x = None if before is None else lowering.seen(before.inputs[0])
    if before is None or before.name != "reduce_sum" or not isinstance(x, Value):
        return None
    axes = before.params["axes"]
    if number(count) != np.prod([x.shape[a] for a in axes]) or (kept and not keeps(x.shape, axes, shape)):
        return None
    return lowering.emit(reduced("ops.mean", axes, x, keepdims=kept), x)


@rules("flax.linen.activation.PReLU", "flax.nnx.nn.activations.PReLU")
def _prelu(low, module, x):
    return low.emit(word("prelu"), x, weights={"negative_slope": _only(low.weights)})


def _only(weights: dict[str, Weight]) -> Weight:
    (weight,) = weights.values()
    return weight
