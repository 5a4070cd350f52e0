"""Sliding windows over spatial axes, shared by convolution, pooling, padding and patches.

Arrays are `(batch, *space, channels)`, or `(batch, channels, *space)` with `channels_first`.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jax import lax

from compose.core.errors import ConfigError, ShapeError, expect_rank

Sizes = int | tuple[int, ...]
Widths = int | tuple[int | tuple[int, int], ...]
Padding = Literal["same", "valid", "causal"] | int | tuple[int | tuple[int, int], ...]

SPACE = {1: "steps", 2: "height, width", 3: "depth, height, width"}


@dataclass(frozen=True)
class Window:
    """A window for a given input, with one number or one pair per spatial axis.

    Attributes:
        axes: the spatial axes of the array.
        space: their lengths.
        size, stride, dilation: those of the window.
        padding: before and after.
        overhang: how far the last windows extend beyond the padding in `ceil_mode`.
    """

    axes: tuple[int, ...]
    space: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    overhang: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """The extent of one window on the input."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilation))

    @property
    def reach(self) -> tuple[tuple[int, int], ...]:
        """The padding including the overhang."""
        return tuple((lo, hi + more) for (lo, hi), more in zip(self.padding, self.overhang))

    @property
    def places(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        rows = zip(self.space, self.reach, self.spans, self.stride)
        return tuple((n + lo + hi - span) // s + 1 for n, (lo, hi), span, s in rows)

    def reduce(self, x, start, op):
        """Reduce each window with `op`, with the value `start` in the padding."""

        def full(values, other) -> Any:
            by_axis = dict(zip(self.axes, values))
            return tuple(by_axis.get(axis, other) for axis in range(x.ndim))

        return lax.reduce_window(
            x, start, op, full(self.size, 1), full(self.stride, 1), full(self.reach, (0, 0)),
            window_dilation=full(self.dilation, 1),
        )  # fmt: skip

    def slides(self, x, fill: Any = 0) -> list:
        """For each position in the window, in row-major order, the values of all windows at that position."""
        by_axis = dict(zip(self.axes, self.reach))
        config = [(*by_axis.get(axis, (0, 0)), 0) for axis in range(x.ndim)]
        padded = lax.pad(x, np.asarray(fill, x.dtype), config) if any(map(any, config)) else x
        slices = []
        for position in itertools.product(*map(range, self.size)):
            first, stop, step = [0] * x.ndim, list(padded.shape), [1] * x.ndim
            for axis, i, d, s, n in zip(self.axes, position, self.dilation, self.stride, self.places):
                first[axis], stop[axis], step[axis] = i * d, i * d + (n - 1) * s + 1, s
            slices.append(lax.slice(padded, first, stop, step))
        return slices


def axes_last(over: Window) -> Window:
    """A window over arrays with the channels first, for the same arrays with the channels last."""
    return dataclasses.replace(over, axes=tuple(axis - 1 for axis in over.axes))


def padded_window(over: Window, x) -> Window:
    """The window over `x`, part of an input that has its padding already."""
    none = (0,) * len(over.axes)
    space = tuple(x.shape[axis] for axis in over.axes)
    return dataclasses.replace(over, space=space, padding=tuple(zip(none, none)), overhang=none)


def reversed_window(over: Window, places: tuple[int, ...], stretch: tuple[int, ...]) -> Window:
    """The window over the `places` of the output that the gradient of the input sees.

    It has the stride `stretch`, by which the input is dilated; that of `over` is 1.
    """
    before = tuple(span - 1 - lo for span, (lo, _) in zip(over.spans, over.reach))
    rows = zip(over.space, stretch, over.spans, places, before)
    after = tuple((n - 1) * s + span - m - lo for n, s, span, m, lo in rows)
    ends = tuple(zip(before, after))
    return dataclasses.replace(over, space=places, stride=stretch, padding=ends, overhang=(0,) * len(places))


def window(
    x, size: Sizes, stride: Sizes | None = 1, padding: Padding = "valid", dilation: Sizes = 1,
    channels_first: bool = False, ceil_mode: bool = False,
) -> Window:  # fmt: skip
    """The window for an input shaped as `x`; `stride=None` means the window size.

    Raises `ShapeError` if the input has the wrong rank or is smaller than the window.
    """
    axes = space_axes(x, channels_first, size, stride, dilation, padding)
    rank, space = len(axes), tuple(x.shape[a] for a in axes)
    size, dilation = sizes(size, rank, "a window"), sizes(dilation, rank, "a dilation")
    stride = size if stride is None else sizes(stride, rank, "a stride")
    pads = explicit_padding(padding, space, size, stride, dilation)
    result = Window(axes, space, size, stride, dilation, tuple(pads), (0,) * rank)
    if not ceil_mode:
        return result
    overhang = []
    for n, (lo, hi), span, s in zip(space, pads, result.spans, stride):
        last = -(-(n + lo + hi - span) // s)  # include every window that touches the input, except
        last -= last * s >= n + lo  # windows that start in the padding after it
        overhang.append(max(last * s + span - (n + lo + hi), 0))
    return Window(axes, space, size, stride, dilation, tuple(pads), tuple(overhang))


def sizes(value: Sizes, rank: int, what: str = "a size") -> tuple[int, ...]:
    """One size per spatial axis. Raises `ConfigError` for a tuple of the wrong length."""
    values = (value,) * rank if isinstance(value, int) else value
    if len(values) != rank or min(values) < 1:
        raise ConfigError(f"{what} that is an int of at least 1, or {rank} of them", str(value))
    return values


def pairs(value: Widths, rank: int) -> list[tuple[int, int]]:
    """The widths before and after each spatial axis. Raises `ConfigError` for a tuple of the wrong length."""
    values = (value,) * rank if isinstance(value, int) else value
    if len(values) != rank:
        raise ConfigError(f"an int, or {rank} ints or pairs of ints", str(value))
    return [(p, p) if isinstance(p, int) else p for p in values]


def space_axes(x, channels_first: bool = False, *options: Any) -> tuple[int, ...]:
    """The spatial axes of `x`. The length of the first tuple in `options` is the number of axes that it must have."""
    lengths = [len(option) for option in options if isinstance(option, tuple)]
    ranks = lengths[:1] or list(SPACE)
    names = (SPACE.get(n, f"{n} spatial axes") for n in ranks)
    texts = (f"(batch, channels, {n})" if channels_first else f"(batch, {n}, channels)" for n in names)
    few = hasattr(x, "ndim") and x.ndim < min(ranks) + 2
    expect_rank(x, [n + 2 for n in ranks], " or ".join(texts), "add the missing axis with reshape" if few else "")
    return tuple(range(2, x.ndim)) if channels_first else tuple(range(1, x.ndim - 1))


def channel_axis(x, channels_first: bool) -> int:
    return 1 if channels_first else x.ndim - 1


def along_channels(v, x, channels_first: bool):
    """Reshape a vector with one value per channel so that it broadcasts to `x`."""
    return v.reshape(-1, *[1] * (x.ndim - 2)) if channels_first else v


def explicit_padding(
    padding: Padding,
    space: tuple[int, ...],
    window: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[tuple[int, int]]:
    """The padding before and after each spatial axis, as numbers.

    `"same"` is TensorFlow's: the output has length ceil(n / stride), and an odd total pads one more at the end.
    `"causal"` pads only before, so that no output depends on a later input.
    Raises `ConfigError` for an invalid padding, and `ShapeError` if the window is larger than the padded input.
    """
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilation)]
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(space, stride, spans)]
        widths = [(t // 2, t - t // 2) for t in totals]
    elif padding == "causal":
        widths = [(k - 1, 0) for k in spans]
    elif padding == "valid":
        widths = [(0, 0)] * len(space)
    else:
        widths = pairs(padding, len(space))
    if any(min(pair) < 0 for pair in widths):
        raise ConfigError("padding of at least 0", str(padding), "crop the input with crop(...)")
    for n, (before, after), span in zip(space, widths, spans):
        if n + before + after < span:
            raise ShapeError(
                f"an input at least as long as the window of {span}", f"{n} with padding {before} + {after}"
            )
    return widths
