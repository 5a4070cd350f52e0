"""Gradients of convolutions in the layout that XLA runs fast on a CPU, inside loops too.

JAX writes the gradients of a convolution as convolutions whose axes are permuted. Outside of loops XLA's CPU compiler
moves them into its canonical layout, channels last; in the body of a loop it does not, and runs a naive loop instead,
three times slower for the input and 60 to 100 times slower for the kernel. Here the operands are transposed explicitly,
which gives the same numbers bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax


def canonical(convolution: Callable[[Any, Any], Any], x, kernel, argument: int):
    """`convolution(x, kernel)`, as the transpose in `argument` (0 or 1) of its gradient in canonical layout.

    Reverse mode, which transposes it again, runs that gradient.
    """
    operands = (x, kernel)
    y = jax.eval_shape(convolution, x, kernel)
    gradient = lambda g: _gradient(convolution, operands, argument, g)
    return jax.linear_transpose(gradient, y)(operands[argument])[0]


def _gradient(convolution: Callable[[Any, Any], Any], operands: tuple[Any, Any], argument: int, g):
    """The gradient in `argument` for a cotangent `g`: JAX's own program, its convolutions in canonical layout."""
    fixed = operands[1 - argument]
    like = jax.ShapeDtypeStruct(operands[argument].shape, operands[argument].dtype)

    def gradient(fixed, g):
        forward = lambda a: convolution(fixed, a) if argument else convolution(a, fixed)
        return jax.linear_transpose(forward, like)(g)[0]

    program = jax.make_jaxpr(gradient)(fixed, g)
    values = dict(zip(program.jaxpr.constvars, program.consts)) | dict(zip(program.jaxpr.invars, (fixed, g)))
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
    lhs = lhs.transpose(lhs_batch, *lhs_space, lhs_channels)
    rhs = rhs.transpose(*kernel_space, inputs, outputs)
    larger = all(n < m for n, m in zip(lhs.shape[1:-1], rhs.shape[:-2]))
    if larger and _only_stretches(**params):
        result = _swapped(lhs, rhs, **params)
    else:
        result = _channels_last(lhs, rhs, **params)
    out_batch, out_channels, *out_space = out
    order = (out_batch, *out_space, out_channels)
    return result.transpose(tuple(order.index(axis) for axis in range(rank + 2)))


def _channels_last(lhs, rhs, **params):
    rank = lhs.ndim - 2
    images, kernels = (0, rank + 1, *range(1, rank + 1)), (rank + 1, rank, *range(rank))
    numbers = lax.ConvDimensionNumbers(images, kernels, images)
    return lax.conv_general_dilated_p.bind(lhs, rhs, dimension_numbers=numbers, **params)


def _only_stretches(window_strides, rhs_dilation, feature_group_count, batch_group_count, **_) -> bool:
    return set(window_strides) == set(rhs_dilation) == {feature_group_count} == {batch_group_count} == {1}


def _swapped(lhs, rhs, *, padding, lhs_dilation, rhs_dilation, **params):
    """A convolution of a small image by a large kernel with the roles of the two exchanged, which is 10 times faster.

    That is the gradient of the kernel of a transposed convolution.
    """
    rank = lhs.ndim - 2
    spans = [(n - 1) * d + 1 for n, d in zip(lhs.shape[1:-1], lhs_dilation)]
    ends = [(n + hi - m, n + lo - m) for n, m, (lo, hi) in zip(spans, rhs.shape[:-2], padding)]
    space = tuple(range(1, rank + 1))
    result = _channels_last(
        rhs.transpose(rank + 1, *range(rank), rank), lhs.transpose(*space, rank + 1, 0),
        padding=tuple(ends), lhs_dilation=rhs_dilation, rhs_dilation=lhs_dilation, **params,
    )  # fmt: skip
    return lax.rev(result, space).transpose(rank + 1, *space, 0)
