"""Sums, differences, products, quotients and extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.frontends.jax.inlining import Eqn, within
from compose.port.frontends.jax.lower import JaxLowering
from compose.port.frontends.jax.operands import as_type
from compose.port.frontends.jax.registry import rule, rules
from compose.port.frontends.jax.rules.pool import average
from compose.port.frontends.jax.rules.reduce import keeps, reduced
from compose.port.frontends.jax.values import Value
from compose.port.lowering.binary import binary
from compose.port.lowering.literals import number
from compose.port.lowering.values import Operand

_NAMES = {"add": "add", "add_any": "add", "mul": "multiply", "sub": "subtract", "max": "maximum", "min": "minimum"}


@rules(*(f"jax.{name}" for name in _NAMES))
def _binary(low: JaxLowering, eqn: Eqn, a: Operand, b: Operand):
    name = _NAMES[eqn.name]
    if not np.issubdtype(eqn.outputs[0].dtype, np.floating):
        return _of_batch(low, name, a, b) or low.op(name, a, b)
    if eqn.name not in ("max", "min"):
        return binary(low, name, a, b)
    if isinstance(a, Value) and isinstance(b, Value):
        return low.pair(name, a, b)
    bound = number(a if isinstance(b, Value) else b)
    if bound is not None:
        x: Any = a if isinstance(a, Value) else b
        relu = bound == 0 and name == "maximum" and within("relu", eqn.where)
        return low.each(word("relu") if relu else word(f"ops.{name}")(y=bound), x)  # whose slope is 1/2 at the bound
    like: Any = a if isinstance(a, Value) else b
    return low.emit(word(name), low.as_value(a, like), low.as_value(b, like))


@rule("jax.div")
def _divide(low: JaxLowering, eqn: Eqn, a: Operand, b: Operand):
    if not np.issubdtype(eqn.outputs[0].dtype, np.floating):
        if eqn.outputs[0].dtype.kind == "c":
            return low.op("divide", a, b)
        like: Any = a if isinstance(a, Value) else b
        whole = [low.as_value(x, like) for x in (a, b)]
        whole = [low.emit(as_type("i"), x, shape=x.shape).but(own=x.own) for x in whole]  # of one dtype
        return low.emit(word("ops.div"), *whole)
    mean = None if isinstance(b, Value) or not isinstance(a, Value) else _mean(low, b)
    return mean or binary(low, "divide", a, b)


def _of_batch(low: JaxLowering, name: str, a: Any, b: Any) -> Value | None:
    """Arithmetic with the size of the batch itself."""
    known = [x for x in (a, b) if low.of_batch(x) is not None]
    return binary(low, name, a, b) if known and name in ("add", "subtract", "multiply") else None


def _mean(low: JaxLowering, count: Any) -> Value | None:
    """A sum divided by how many there are: over axes, or over windows."""
    before, shape = low.maker(0), ()
    x = None if before is None else low.seen(before.inputs[0])
    if before is None or not isinstance(x, Value) or not isinstance(count, np.ndarray) or x.own:
        return None
    if before.name == "reduce_window_sum":
        layer = average(before, count)
        return None if layer is None else low.emit(layer, x)
    kept = before.name == "broadcast_in_dim"
    if kept:
        shape, before = before.outputs[0].shape, low.makers.get(before.inputs[0])
        x = None if before is None else low.seen(before.inputs[0])
    if before is None or before.name != "reduce_sum" or not isinstance(x, Value) or x.own:
        return None
    axes = before.params["axes"]
    if number(count) != np.prod([x.shape[a] for a in axes]) or (kept and not keeps(x.shape, axes, shape)):
        return None
    return low.emit(reduced("ops.mean", axes, x, keepdims=kept), x)


@rule("jax.polynomial")
def _polynomial(low: JaxLowering, eqn: Eqn, x: Value, *coefficients: Any):
    """Horner's scheme; JAX 0.12 has polynomials as an operation, as in `jnp.sinc`. The constant comes first."""
    y: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        y = binary(low, "add", binary(low, "multiply", x, y), coefficient)
    return y
