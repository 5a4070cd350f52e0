"""Functions of each element."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.inlining import Eqn
from compose.port.frontends.jax.lower import JaxLowering
from compose.port.frontends.jax.registry import rule, rules
from compose.port.frontends.jax.values import Value, Weight

_PLAIN = {
    "tanh": "tanh", "logistic": "sigmoid", "exp": "ops.exp", "log": "ops.log", "sqrt": "ops.sqrt", "rsqrt": "ops.rsqrt",
    "sin": "ops.sin", "cos": "ops.cos", "erf": "ops.erf", "abs": "ops.abs", "sign": "ops.sign", "square": "ops.square",
    "acos": "ops.acos", "acosh": "ops.acosh", "asin": "ops.asin", "asinh": "ops.asinh", "atan": "ops.atan",
    "atanh": "ops.atanh", "cbrt": "ops.cbrt", "ceil": "ops.ceil", "cosh": "ops.cosh", "digamma": "ops.digamma",
    "erf_inv": "ops.erfinv", "erfc": "ops.erfc", "exp2": "ops.exp2", "expm1": "ops.expm1", "floor": "ops.floor",
    "is_finite": "ops.isfinite", "lgamma": "ops.gammaln", "log1p": "ops.log1p", "sinh": "ops.sinh", "tan": "ops.tan",
    "bessel_i0e": "ops.i0e", "bessel_i1e": "ops.i1e", "real": "ops.real", "imag": "ops.imag", "conj": "ops.conj",
    "population_count": "ops.population_count",
}  # fmt: skip
_OF_TWO = {
    "atan2": "arctan2", "nextafter": "nextafter", "complex": "complex", "igamma": "gammainc", "igammac": "gammaincc",
    "polygamma": "polygamma", "zeta": "zeta", "regularized_incomplete_beta": "betainc", "shift_left":
    "bitwise_left_shift", "shift_right_arithmetic": "bitwise_right_shift", "rem": "fmod",
}  # fmt: skip


@rules(*(f"jax.{name}" for name in _PLAIN))
def _plain(low: JaxLowering, eqn: Eqn, x: Value, **_):
    return low.emit(word(_PLAIN[eqn.name]), x)


@rules(*(f"jax.{name}" for name in _OF_TWO))
def _of_two(low: JaxLowering, eqn: Eqn, *xs):
    values = [low.as_value(x, _first(xs)) for x in xs] if eqn.name in ("complex", "polygamma", "zeta") else xs
    return low.op(_OF_TWO[eqn.name], *values)


@rules("jax.copy", "jax.copy_p", "jax.sharding_constraint", "jax.optimization_barrier", "jax.pvary")
def _nothing(low: JaxLowering, eqn: Eqn, *xs):
    return xs


@rule("jax.reduce_precision")
def _reduce_precision(low: JaxLowering, eqn: Eqn, x: Value):
    raise PortError("numbers of one precision, got lax.reduce_precision, which rounds them")


@rule("jax.stop_gradient")
def _stop_gradient(low: JaxLowering, eqn: Eqn, x: Value):
    if isinstance(x, Weight):
        raise PortError(f"stop_gradient of a value, got {x.view.source}; a layer that is not trained is frozen(...)")
    return low.emit(word("ops.stop_gradient"), x)


@rule("jax.neg")
def _negative(low: JaxLowering, eqn: Eqn, x: Value):
    floats = np.issubdtype(x.dtype, np.floating)
    return low.emit(word("scale")(by=-1.0) if floats else word("ops.negative"), x)


@rule("jax.round")
def _round(low: JaxLowering, eqn: Eqn, x: Value):
    if int(eqn.params["rounding_method"]) == 1:
        return low.emit(word("ops.rint"), x)
    up = low.emit(word("ops.floor"), low.emit(word("add_constant")(value=0.5), low.emit(word("ops.abs"), x)))
    return low.emit(word("multiply"), up, low.emit(word("ops.sign"), x))  # halves away from zero


@rules("jax.integer_pow", "jax.pow")
def _power(low: JaxLowering, eqn: Eqn, x: Any, exponent=None):
    y = eqn.params.get("y") if exponent is None else low.plain_number(exponent)
    if y is None or not isinstance(x, Value):
        return low.op("power", x, exponent)
    whole = not np.issubdtype(x.dtype, np.floating)
    return low.emit(word("ops.square") if y == 2 else word("ops.power")(x2=int(y) if whole else float(y)), x)


@rule("jax.clamp")
def _clamp(low: JaxLowering, eqn: Eqn, least, x, most):
    ends: list[Any] = [low.plain_number(end) for end in (least, most)]
    if None in ends or not isinstance(x, Value):
        like = _first((least, x, most))
        bounds = [low.as_value(v, like) for v in (least, x, most)]
        if np.issubdtype(eqn.outputs[0].dtype, np.floating):
            return low.emit(word("ops.clamp"), *bounds)
        return low.emit(word("ops.clip"), bounds[1], bounds[0], bounds[2])
    if np.issubdtype(x.dtype, np.floating):  # it has no slope at its ends, unlike `clip`
        return low.emit(word("hard_tanh")(min_value=float(ends[0]), max_value=float(ends[1])), x)
    return low.emit(word("ops.clip")(min=ends[0], max=ends[1]), x)


def _first(xs: Any) -> Value:
    return next(x for x in xs if isinstance(x, Value))
