"""Convolutions whose kernel is an input."""

from __future__ import annotations

from jax import lax

from compose.core.errors import ShapeError, shape_text
from compose.core.function import function

__all__ = ["convolve_with"]


@function
def convolve_with(
    x, kernel, stride: int | tuple = 1, padding: int | tuple = 0, dilation: int | tuple = 1, groups: int = 1,
    transposed: bool = False, output_padding: int | tuple = 0,
):  # fmt: skip
    """The convolution of one input with another, or its transpose: matching, dynamic filters, hypernetworks.

    Shapes: `(batch, *space, n)` and `(*kernel, n / groups, filters)`, to `(batch, *space', filters)`. Elsewhere: torch
    `F.conv2d` and `F.conv_transpose2d` of two values, whose kernel is `(filters, n / groups, *kernel)` or
    `(n, filters / groups, *kernel)`.

    Args:
        stride, padding, dilation, output_padding: an int, or one per spatial axis.
        transposed: the transpose; its kernel is turned around by the caller.
    """
    rank = x.ndim - 2
    if rank < 1 or kernel.ndim != x.ndim:
        raise ShapeError("(batch, *space, n) and (*kernel, n / groups, filters)", shape_text((x, kernel)))
    each = lambda v: tuple(v) if isinstance(v, (tuple, list)) else (v,) * rank
    steps, widths, gaps, more = map(each, (stride, padding, dilation, output_padding))
    reach = [d * (k - 1) for k, d in zip(kernel.shape, gaps)]
    around = [(r - w, r - w + m) for r, w, m in zip(reach, widths, more)] if transposed else [(w, w) for w in widths]
    space = "DHW"[3 - rank :]
    return lax.conv_general_dilated(
        x, kernel, (1,) * rank if transposed else steps, around, lhs_dilation=steps if transposed else None,
        rhs_dilation=gaps, dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"), feature_group_count=groups,
    )  # fmt: skip
