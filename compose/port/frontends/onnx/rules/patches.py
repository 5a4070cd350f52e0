"""Convolutions whose kernels are values: products of patches with them."""

from __future__ import annotations

import math
from typing import Any

from compose.core.registry import word
from compose.port.lowering.values import Value, channels_last, identity_axes
from compose.port.lowering.windows import padding_word, per_axis


def patches_times(low: Any, x: Value, weight: Value, groups: int, options: dict[str, Any]) -> Value:
    """The patches of `x`, by the options of `unfold`, times a kernel `(out, in / groups, *size)`."""
    shape, x = low.shape, low.channels_last(x)
    out, n, *size = weight.shape
    window, rank, space = math.prod(size), len(size), shape[2:]
    seen = (x.shape[0], x.shape[1] * window, *space)
    patches = low.emit(word("unfold")(per_axis(size, rank), **options), x, shape=seen, axes=channels_last(rank + 2))
    rows = (x.shape[0], math.prod(space), groups, n * window)
    patches = low.emit(word("reshape")(*rows[1:]), patches, shape=rows, axes=identity_axes(4))
    kernel = _reshaped(low, weight, (groups, out // groups, n * window))
    made = (*rows[:3], out // groups)
    y = low.emit(word("contract")(equation="nlgi,goi->nlgo"), patches, kernel, shape=made, axes=identity_axes(4))
    return low.emit(word("reshape")(*space, out), y, shape=shape, axes=channels_last(rank + 2))


def patches_summed(
    low: Any, x: Value, weight: Value, groups: int, stride: Any, dilation: Any, pads: list[tuple[int, int]]
) -> Value:
    """A transposed convolution: `x` times a kernel `(in, out / groups, *size)` are patches, which are summed."""
    shape, x = low.shape, low.channels_last(x)
    inputs, n, *size = weight.shape
    window, rank, space = math.prod(size), len(size), x.shape[2:]
    rows = (x.shape[0], math.prod(space), groups, inputs // groups)
    apart = low.emit(word("reshape")(*rows[1:]), x, shape=rows, axes=identity_axes(4))
    kernel = _reshaped(low, weight, (groups, inputs // groups, n * window))
    made = (*rows[:3], n * window)
    y = low.emit(word("contract")(equation="nlgi,gio->nlgo"), apart, kernel, shape=made, axes=identity_axes(4))
    wide = (x.shape[0], groups * n * window, *space)
    y = low.emit(word("reshape")(*space, wide[1]), y, shape=wide, axes=channels_last(rank + 2))
    even = all(before == after for before, after in pads)
    padding = padding_word(tuple(a for a, _ in pads), rank) if even else tuple(pads)
    layer = word("fold")(
        per_axis(shape[2:], rank), per_axis(size, rank), stride=per_axis(stride, rank),
        dilation=per_axis(dilation, rank), padding=0 if padding == "valid" else padding,
    )  # fmt: skip
    return low.emit(layer, y, shape=shape, axes=channels_last(rank + 2))


def along_channels(low: Any, v: Any, rank: int) -> Value:
    """One number for each channel as a value that broadcasts along them."""
    return _reshaped(low, low.as_value(v), (v.shape[0], *(1,) * (rank - 2)))


def _reshaped(low: Any, x: Value, shape: tuple[int, ...]) -> Value:
    x = low.as_source(x)
    return low.emit(word("reshape")(*shape, batch=False), x, shape=shape, axes=identity_axes(len(shape)))
