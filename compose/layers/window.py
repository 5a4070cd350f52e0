"""Windows that slide over spatial axes: what convolution, pooling, padding and patches share.

Arrays are `(batch, *space, channels)`, or `(batch, channels, *space)` where a layer says `channels_first`.
"""

from __future__ import annotations

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
    """A window met with an input: one number, or one pair, for each spatial axis.

    Attributes:
        axes: the spatial axes of the array.
        space: their lengths.
        size, stride, dilation: the window's.
        padding: before and after.
        overhang: how far the last windows of `ceil_mode` reach beyond the padding.
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
        """How much of the input one window covers."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilation))

    @property
    def reach(self) -> tuple[tuple[int, int], ...]:
        """The padding with the overhang."""
        return tuple((lo, hi + more) for (lo, hi), more in zip(self.padding, self.overhang))

    @property
    def places(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        rows = zip(self.space, self.reach, self.spans, self.stride)
        return tuple((n + lo + hi - span) // s + 1 for n, (lo, hi), span, s in rows)

    def reduce(self, x, start, op):
        """`op` over the values of each window, `start` in the padding."""

        def full(values, other) -> Any:
            given = dict(zip(self.axes, values))
            return tuple(given.get(axis, other) for axis in range(x.ndim))

        return lax.reduce_window(
            x, start, op, full(self.size, 1), full(self.stride, 1), full(self.reach, (0, 0)),
            window_dilation=full(self.dilation, 1),
        )  # fmt: skip

    def slides(self, x, fill: Any = 0) -> list:
        """For each position in the window, in rows, the values that all windows see there."""
        given = dict(zip(self.axes, self.reach))
        config = [(*given.get(axis, (0, 0)), 0) for axis in range(x.ndim)]
        padded = lax.pad(x, np.asarray(fill, x.dtype), config) if any(map(any, config)) else x
        made = []
        for position in itertools.product(*map(range, self.size)):
            cut = [slice(None)] * x.ndim
            for axis, i, d, s, n in zip(self.axes, position, self.dilation, self.stride, self.places):
                cut[axis] = slice(i * d, i * d + (n - 1) * s + 1, s)
            made.append(padded[tuple(cut)])
        return made


def window(
    x, size: Sizes, stride: Sizes | None = 1, padding: Padding = "valid", dilation: Sizes = 1,
    channels_first: bool = False, ceil_mode: bool = False,
) -> Window:  # fmt: skip
    """The window for an input like `x`; `stride=None` is the size.

    Raises `ShapeError` for an input of another rank or smaller than the window.
    """
    axes = space_axes(x, channels_first, size, stride, dilation, padding)
    rank, space = len(axes), tuple(x.shape[a] for a in axes)
    size, dilation = sizes(size, rank), sizes(dilation, rank)
    stride = size if stride is None else sizes(stride, rank)
    pads = explicit_padding(padding, space, size, stride, dilation)
    made = Window(axes, space, size, stride, dilation, tuple(pads), (0,) * rank)
    if not ceil_mode:
        return made
    over = []
    for n, (lo, hi), span, s in zip(space, pads, made.spans, stride):
        last = -(-(n + lo + hi - span) // s)  # as many windows as touch the input, but none that
        last -= last * s >= n + lo  # starts in the padding after it
        over.append(max(last * s + span - (n + lo + hi), 0))
    return Window(axes, space, size, stride, dilation, tuple(pads), tuple(over))


def sizes(value: Sizes, rank: int) -> tuple[int, ...]:
    """One size for each spatial axis. Raises `ConfigError` for a tuple of another length."""
    made = (value,) * rank if isinstance(value, int) else value
    if len(made) != rank or min(made) < 1:
        raise ConfigError(f"an int of at least 1 or {rank} of them", str(value))
    return made


def pairs(value: Widths, rank: int) -> list[tuple[int, int]]:
    """Before and after each spatial axis. Raises `ConfigError` for a tuple of another length."""
    made = (value,) * rank if isinstance(value, int) else value
    if len(made) != rank:
        raise ConfigError(f"an int, or {rank} ints or pairs of ints", str(value))
    return [(p, p) if isinstance(p, int) else p for p in made]


def space_axes(x, channels_first: bool = False, *given: Any) -> tuple[int, ...]:
    """The spatial axes of `x`; tuples among the options `given` say how many it should have."""
    lengths = [len(option) for option in given if isinstance(option, tuple)]
    ranks = lengths[:1] or list(SPACE)
    names = (SPACE.get(n, f"{n} spatial axes") for n in ranks)
    texts = (f"(batch, channels, {n})" if channels_first else f"(batch, {n}, channels)" for n in names)
    few = hasattr(x, "ndim") and x.ndim < min(ranks) + 2
    expect_rank(x, [n + 2 for n in ranks], " or ".join(texts), "add the missing axis with reshape" if few else "")
    return tuple(range(2, x.ndim)) if channels_first else tuple(range(1, x.ndim - 1))


def channel_axis(x, channels_first: bool) -> int:
    return 1 if channels_first else x.ndim - 1


def along_channels(v, x, channels_first: bool):
    """A vector with one value for each channel, so shaped that it meets `x`."""
    return v.reshape(-1, *[1] * (x.ndim - 2)) if channels_first else v


def explicit_padding(
    padding: Padding,
    space: tuple[int, ...],
    window: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[tuple[int, int]]:
    """The padding before and after each spatial axis, as numbers.

    `"same"` is TensorFlow's: the output has ceil(n / stride) places and an odd total pads one more after.
    `"causal"` pads only before, so that no output sees a later input.
    Raises `ConfigError` for a padding that is none, `ShapeError` for a window larger than its padded input.
    """
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilation)]
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(space, stride, spans)]
        made = [(t // 2, t - t // 2) for t in totals]
    elif padding == "causal":
        made = [(k - 1, 0) for k in spans]
    elif padding == "valid":
        made = [(0, 0)] * len(space)
    else:
        made = pairs(padding, len(space))
    if any(min(pair) < 0 for pair in made):
        raise ConfigError("padding of at least 0", str(padding), "take away from the input with crop(...)")
    for n, (before, after), span in zip(space, made, spans):
        if n + before + after < span:
            raise ShapeError(
                f"an input at least as long as the window of {span}", f"{n} with padding {before} + {after}"
            )
    return made
