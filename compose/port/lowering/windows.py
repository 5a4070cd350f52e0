"""Kernels, strides and padding of windows, in their shortest form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.port.ir.weights import View
from compose.port.lowering.layout_lowering import LayoutLowering
from compose.port.lowering.values import Value, Weight, turned


def per_axis(value: Any, rank: int) -> Any:
    """A list of one or `rank` numbers as one number if they are equal, else as a tuple."""
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    numbers = numbers * rank if len(numbers) == 1 else numbers
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def kernel_view(weight: Weight) -> View:
    """OIHW → HWIO, for any number of spatial axes."""
    rank = len(weight.shape) - 2
    letters = "DHW"[3 - rank :]
    view = turned(weight.view, tuple(weight.shape), (*range(2, rank + 2), 1, 0))
    return replace(view, note=f"OI{letters}→{letters}IO")


def turned_view(weight: Weight, groups: int) -> View:
    """IOHW → HWIO of a transposed convolution, flipped in space; groups move from the inputs to the outputs.

    Raises `PortError` for groups of a parameter whose axes the source moves.
    """
    inputs, outputs, *space = weight.shape
    rank, view = len(space), weight.view
    flipped: dict[str, Any] = {"flip": tuple(range(rank)), "note": "IOHW→HWIO, turned around"}
    if groups == 1:
        return replace(turned(view, tuple(weight.shape), (*range(2, rank + 2), 0, 1)), **flipped)
    if view.axes is not None or view.order is not None:
        raise PortError("a kernel of a transposed convolution in groups as it is stored, got its axes moved")
    return replace(
        view, split=(groups, inputs // groups, outputs, *space), axes=(*range(3, rank + 3), 1, 0, 2),
        shape=(*space, inputs // groups, outputs * groups), **flipped,
    )  # fmt: skip


def conv_padding(padding: Any, kernel: tuple[int, ...], stride: Any, dilation: Any) -> Any:
    """`same` where that is equal: at stride 1, half the kernel on each side."""
    rank = len(kernel)
    widths = (padding,) * rank if isinstance(padding, int) else tuple(padding) * (rank // len(padding))
    steps, gaps = (per_axis(v, rank) for v in (stride, dilation))
    gaps = gaps if isinstance(gaps, tuple) else (gaps,) * rank
    if steps == 1 and all(isinstance(p, int) and 2 * p == d * (k - 1) for p, k, d in zip(widths, kernel, gaps)):
        return "same"
    return padding_word(padding, rank)


def padding_word(padding: Any, rank: int) -> Any:
    """The number, or the numbers of each axis; `valid` for 0."""
    widths = per_axis(padding, rank)
    return "valid" if widths == 0 else widths


def padded_axes(
    lowering: LayoutLowering, x: Value, widths: dict[int, tuple[int, ...]]
) -> tuple[Value, tuple[tuple[int, ...], ...]]:
    """A value laid out so that `pad` can pad it, and the widths in that layout; () if nothing is padded.

    Args:
        widths: for each of the source's axes, the widths before and after it.
    """
    padded = [a for a in range(x.ndim) if any(widths.get(a, ()))]
    if not padded:
        return x, ()
    if x.axes[0] in padded:
        raise PortError("padding that leaves the first axis, the batch, as it is")
    if x.axes[-1] in padded:  # `pad` leaves the last axis alone
        free = [a for a in range(1, x.ndim) if a not in padded]
        if not free:
            raise PortError("padding that leaves one axis but the batch as it is")
        x = lowering.moved(x, (0, *(a for a in x.axes[1:] if a != free[-1]), free[-1]))
    return x, tuple(widths.get(a, (0, 0)) for a in x.axes[1:-1])
