"""Special functions, remainders, angles, and other functions of each element that NumPy and SciPy have too."""

from __future__ import annotations

import math
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.plain import each
from compose.port.frontends.torch.registry import rule, rules
from compose.port.lowering.values import Value

_OF_ONE = {
    "i0": "i0", "special_i0e": "i0e", "special_i1": "i1", "special_i1e": "i1e", "special_ndtri": "ndtri",
    "special_erfcx": "erfcx", "special_log_ndtr": "log_ndtr", "angle": "angle", "signbit": "signbit",
    "isposinf": "isposinf", "isneginf": "isneginf", "_conj": "conj", "_conj_physical": "conj", "conj": "conj",
    "conj_physical": "conj", "special_entr": "entr", "real": "real", "imag": "imag",
}  # fmt: skip
_OF_TWO = {
    "atan2": "arctan2", "fmod": "fmod", "remainder": "remainder", "fmax": "fmax", "fmin": "fmin", "hypot": "hypot",
    "copysign": "copysign", "logaddexp": "logaddexp",
    "logaddexp2": "logaddexp2", "igamma": "gammainc", "igammac": "gammaincc", "special_gammainc": "gammainc",
    "special_gammaincc": "gammaincc", "xlogy": "xlogy", "special_xlog1py": "xlog1py",
    "bitwise_xor": "bitwise_xor", "logical_xor": "logical_xor", "bitwise_left_shift": "bitwise_left_shift",
    "bitwise_right_shift": "bitwise_right_shift", "__lshift__": "bitwise_left_shift", "gcd": "gcd", "lcm": "lcm",
    "__rshift__": "bitwise_right_shift", "floor_divide": "floor_divide", "__xor__": "bitwise_xor", "complex": "complex",
}  # fmt: skip


def _named(node: Any) -> str:
    name = str(node.target).split(".")[1]
    return name if name.endswith("__") else name.removesuffix("_")


@rules(*(f"aten.{name}" for name in _OF_ONE))
def _one(low, node, x):
    return each(low, f"ops.{_OF_ONE[_named(node)]}", x)


@rules(*(f"aten.{name}" for name in _OF_TWO))
def _two(low, node, a, b):
    if "igamma" in str(node.target) and isinstance(a, Value):
        raise PortError("an incomplete gamma function of a constant order, by which torch has no gradient")
    return each(low, f"ops.{_OF_TWO[_named(node)]}", a, b)


@rule("aten.heaviside")
def _step(low, node, x, middle):
    """Zero for NaN, as torch has it."""
    known = low.each(word("ops.nan_to_num")(nan=-1.0), low.whole(x)) if isinstance(x, Value) else x
    return each(low, "ops.heaviside", known, middle)


@rule("aten.polygamma")
def _polygamma(low, node, n, x):
    return low.each(word("polygamma")(n=n), low.whole(x))


_FIXED = {"special_modified_bessel_i0": "i0", "special_modified_bessel_i1": "i1"}


@rules(*(f"aten.{name}" for name in _FIXED))
def _without_gradient(low, node, x):
    """Functions whose result has no gradient in torch."""
    return low.each(word("ops.stop_gradient"), low.each(word(f"ops.{_FIXED[_named(node)]}"), low.whole(x)))


@rule("aten.special_spherical_bessel_j0")
def _spherical_bessel(low, node, x):
    """`sin(x) / x`, which has no gradient in torch; `sinc` is that of pi times x."""
    made = low.each(word("ops.sinc"), low.each(word("scale")(by=1 / math.pi), low.whole(x)))
    return low.each(word("ops.stop_gradient"), made)


@rule("aten.nan_to_num")
def _nan_to_num(low, node, x, nan=None, posinf=None, neginf=None):
    given = {"nan": nan, "posinf": posinf, "neginf": neginf}
    return low.each(word("ops.nan_to_num")(**{k: float(v) for k, v in given.items() if v is not None}), x)


@rules("aten.resolve_conj", "aten.resolve_neg")
def _resolved(low, node, x):
    return x


@rule("aten._neg_view")
def _negative(low, node, x):
    return low.each(word("scale")(by=-1), x)
