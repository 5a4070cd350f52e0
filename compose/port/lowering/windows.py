"""Kernels, strides and padding of windows, in the fewest words."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.port.ir.weights import Take
from compose.port.lowering.values import Value, Weight


def per_axis(value: Any, rank: int) -> Any:
    """torch's list of one or `rank` numbers as an int where they are equal."""
    made = list(value) if isinstance(value, (list, tuple)) else [value]
    made = made * rank if len(made) == 1 else made
    return made[0] if len(set(made)) == 1 else tuple(made)


def kernel_take(weight: Weight) -> Take:
    """OIHW → HWIO, for any number of spatial axes."""
    rank = len(weight.shape) - 2
    letters = "DHW"[3 - rank :]
    return Take(weight.take.source, axes=(*range(2, rank + 2), 1, 0), note=f"OI{letters}→{letters}IO")


def turned_take(weight: Weight, groups: int) -> Take:
    """IOHW → HWIO of a transposed convolution, turned around in space; the groups go from the inputs to the outputs."""
    inputs, outputs, *space = weight.shape
    rank = len(space)
    turned: dict[str, Any] = {"flip": tuple(range(rank)), "note": "IOHW→HWIO, turned around"}
    if groups == 1:
        return Take(weight.take.source, axes=(*range(2, rank + 2), 0, 1), **turned)
    return Take(
        weight.take.source, split=(groups, inputs // groups, outputs, *space), axes=(*range(3, rank + 3), 1, 0, 2),
        shape=(*space, inputs // groups, outputs * groups), **turned,
    )  # fmt: skip


def conv_padding(padding: Any, kernel: tuple[int, ...], stride: Any, dilation: Any) -> Any:
    """The field's word where it says the same: at stride 1, half the kernel on each side is `same`."""
    rank = len(kernel)
    widths = (padding,) * rank if isinstance(padding, int) else tuple(padding) * (rank // len(padding))
    steps, gaps = (per_axis(v, rank) for v in (stride, dilation))
    gaps = gaps if isinstance(gaps, tuple) else (gaps,) * rank
    if steps == 1 and all(isinstance(p, int) and 2 * p == d * (k - 1) for p, k, d in zip(widths, kernel, gaps)):
        return "same"
    return padding_word(padding, rank)


def padding_word(padding: Any, rank: int) -> Any:
    """The number, or the numbers of each axis; `valid` for none."""
    made = per_axis(padding, rank)
    return "valid" if made == 0 else made


def padded_axes(low: Any, x: Value, widths: dict[int, tuple[int, ...]]) -> tuple[Value, tuple[tuple[int, ...], ...]]:
    """A value laid out so that `pad` can pad it, and its widths there; none where nothing is to be padded.

    `widths` are those before and after each of the source's axes.
    """
    wide = [a for a in range(x.ndim) if any(widths.get(a, ()))]
    if not wide:
        return x, ()
    if x.axes[0] in wide:
        raise PortError("padding that leaves the first axis, the batch, as it is")
    if x.axes[-1] in wide:  # `pad` leaves the last axis alone
        free = [a for a in range(1, x.ndim) if a not in wide]
        if not free:
            raise PortError("padding that leaves one axis but the batch as it is")
        x = low.moved(x, (0, *(a for a in x.axes[1:] if a != free[-1]), free[-1]))
    return x, tuple(widths.get(a, (0, 0)) for a in x.axes[1:-1])
