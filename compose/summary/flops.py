"""FLOPs, counted in the jaxpr; nothing is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# One operation per output element. Data movement, type conversions and random numbers count as zero.
ELEMENTWISE = _names("""
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp cos cosh
    digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt integer_pow is_finite le lgamma log log1p logistic lt
    max min mul ne neg nextafter not or pow rem round rsqrt select_n sign sin sinh sqrt square sub tan tanh xor
""")
# One operation per input element.
REDUCTIONS = _names("""
    argmax argmin cumlogsumexp cummax cummin cumprod cumsum reduce_and reduce_max reduce_min reduce_or reduce_prod
    reduce_sum scatter-add scatter-mul
""")
WINDOWS = _names("reduce_window reduce_window_max reduce_window_min reduce_window_sum")


def flops(fn: Callable, *args: Any) -> int:
    """The FLOPs of `fn(*args)` on arrays or `jax.ShapeDtypeStruct`s.

    As in XLA's cost analysis, a multiply-add is two FLOPs and any elementwise operation, even an exponential, is one
    per element. A scan counts every iteration, a `cond` its more expensive branch, and a `while` loop, whose
    number of iterations is unknown, one iteration.
    """
    return _program(jax.make_jaxpr(fn)(*args).jaxpr)


def _program(jaxpr: Jaxpr) -> int:
    return sum(_equation(eqn) for eqn in jaxpr.eqns)


def _equation(eqn: Any) -> int:
    name = eqn.primitive.name
    size = math.prod(eqn.outvars[0].aval.shape) if eqn.outvars else 0
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return 2 * size * math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
    if name == "conv_general_dilated":
        return _convolution(eqn)
    if name in ELEMENTWISE:
        return size
    if name in REDUCTIONS:
        return math.prod(eqn.invars[0].aval.shape)
    if name in WINDOWS:
        return size * (math.prod(eqn.params["window_dimensions"]) - 1)
    if name == "cond":
        return max(_program(branch.jaxpr) for branch in eqn.params["branches"])
    if name == "custom_jvp_call":
        return _program(eqn.params["call_jaxpr"].jaxpr)
    return eqn.params.get("length", 1) * sum(map(_program, _inner(eqn)))


def _inner(eqn: Any) -> Iterator[Jaxpr]:
    for value in eqn.params.values():
        if isinstance(value, (Jaxpr, ClosedJaxpr)):
            yield value.jaxpr if isinstance(value, ClosedJaxpr) else value


def _convolution(eqn: Any) -> int:
    """Two FLOPs per kernel element that is multiplied with an input element; padding is free."""
    kernel, out, dims = eqn.invars[1].aval.shape, eqn.outvars[0].aval.shape, eqn.params["dimension_numbers"]
    x = eqn.invars[0].aval.shape
    products = 1
    for i, (kernel_axis, x_axis) in enumerate(zip(dims.rhs_spec[2:], dims.lhs_spec[2:])):
        products *= _products(
            x[x_axis], kernel[kernel_axis], out[dims.out_spec[2 + i]],
            eqn.params["window_strides"][i], eqn.params["padding"][i][0],
            eqn.params["lhs_dilation"][i], eqn.params["rhs_dilation"][i],
        )  # fmt: skip
    batch, channels = out[dims.out_spec[0]] // eqn.params["batch_group_count"], out[dims.out_spec[1]]
    return 2 * batch * channels * kernel[dims.rhs_spec[1]] * products


def _products(n: int, window: int, outputs: int, stride: int, before: int, spread: int, dilation: int) -> int:
    """Along one axis, the number of (output position, kernel element) pairs that fall on an input element."""
    count = 0
    for k in range(window):
        # Outputs p whose p * stride + k * dilation - before is in [0, (n - 1) * spread] and a multiple of spread.
        first = max(0, -(-(before - k * dilation) // stride))
        last = min(outputs - 1, ((n - 1) * spread + before - k * dilation) // stride)
        if spread == 1:
            count += max(0, last - first + 1)
        else:
            count += sum((p * stride + k * dilation - before) % spread == 0 for p in range(first, last + 1))
    return count
