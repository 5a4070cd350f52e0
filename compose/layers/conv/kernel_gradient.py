"""The gradient of a convolution's kernel, in the layout that XLA runs fast on a CPU, inside loops too.

JAX writes this gradient as a convolution whose axes are permuted. Outside of loops XLA's CPU compiler moves them into
its canonical layout, channels last; in the body of a loop it does not, and runs a naive loop instead, 60 to 100 times
slower. Here the operands are transposed explicitly, which gives the same numbers bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero

Convolution = Callable[[Any, Any], Any]


def with_kernel_gradient(convolution: Convolution) -> Convolution:
    """`convolution(x, kernel)`, linear in both, with the fast gradient of its kernel on CPUs.

    All of JAX's transformations go through it: forward and reverse mode of any order, `vmap`, `jit`, `remat`.
    """
    function = jax.custom_jvp(convolution)

    def jvp(primals, tangents):
        x, kernel = primals
        dx, dkernel = tangents
        y = function(x, kernel)
        parts = [] if isinstance(dx, SymbolicZero) else [convolution(dx, kernel)]
        if not isinstance(dkernel, SymbolicZero):
            parts.append(_along_kernel(convolution, x, dkernel, y))
        return y, sum(parts[1:], parts[0]) if parts else SymbolicZero(jax.typeof(y))

    function.defjvp(jvp, symbolic_zeros=True)
    return function


def _along_kernel(convolution: Convolution, x, dkernel, y):
    """`convolution(x, dkernel)`, whose transpose is the gradient.

    On a CPU it is the transpose of the canonical gradient, so that reverse mode, which transposes it again, runs that.
    """
    like_y, like_kernel = (jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (y, dkernel))

    def on_cpu(x, dkernel):
        gradient = lambda g: _canonical_gradient(convolution, x, like_kernel, g)
        return jax.linear_transpose(gradient, like_y)(dkernel)[0]

    choose = lambda x, dkernel: lax.platform_dependent(x, dkernel, cpu=on_cpu, default=convolution)
    return jax.checkpoint(choose, prevent_cse=False)(x, dkernel)  # keeps `x` for the gradient, nothing by platform


def _canonical_gradient(convolution: Convolution, x, like_kernel, g):
    """The gradient of the kernel for a cotangent `g`: JAX's own program, its convolutions in canonical layout."""
    gradient = lambda x, g: jax.linear_transpose(lambda kernel: convolution(x, kernel), like_kernel)(g)[0]
    program = jax.make_jaxpr(gradient)(x, g)
    values = dict(zip(program.jaxpr.constvars, program.consts)) | dict(zip(program.jaxpr.invars, (x, g)))
    for eqn in program.jaxpr.eqns:
        inputs = [v.val if hasattr(v, "val") else values[v] for v in eqn.invars]
        bind = _canonical if eqn.primitive is lax.conv_general_dilated_p else eqn.primitive.bind
        outputs = bind(*inputs, **eqn.params)
        values.update(zip(eqn.outvars, outputs if eqn.primitive.multiple_results else [outputs]))
    return values[program.jaxpr.outvars[0]]


def _canonical(lhs, rhs, *, dimension_numbers, **params):
    """A convolution by one with the axes (batch, *space, channels) and (*space, inputs, outputs)."""
    (lhs_batch, lhs_channels, *lhs_space), (outputs, inputs, *kernel_space), out = dimension_numbers
    rank = len(lhs_space)
    images, kernels = (0, rank + 1, *range(1, rank + 1)), (rank + 1, rank, *range(rank))
    result = lax.conv_general_dilated_p.bind(
        lhs.transpose(lhs_batch, *lhs_space, lhs_channels),
        rhs.transpose(*kernel_space, inputs, outputs),
        dimension_numbers=lax.ConvDimensionNumbers(images, kernels, images),
        **params,
    )
    out_batch, out_channels, *out_space = out
    order = (out_batch, *out_space, out_channels)
    return result.transpose(tuple(order.index(axis) for axis in range(rank + 2)))
