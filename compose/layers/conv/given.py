"""Convolutions whose kernel is an input."""

from __future__ import annotations

from compose.core.errors import ShapeError, shape_text
from compose.core.function import function
from compose.layers.conv import cpu
from compose.layers.conv.convolve import convolve, general
from compose.layers.window import Window

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
    ones, axes = (1,) * rank, tuple(range(1, rank + 1))
    size, space = kernel.shape[:-2], x.shape[1:-1]
    over = Window(axes, space, size, ones if transposed else steps, gaps, tuple(around), (0,) * rank)
    if not all(isinstance(n, int) for n in kernel.shape):  # exported with a kernel of any size
        return cpu.xla(x, kernel, over, groups, False, steps if transposed else None)
    if transposed:
        return general(x, kernel, over, groups, False, steps)
    return convolve(x, kernel, over, groups, False)
