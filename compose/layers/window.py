"""Windows that slide over spatial axes: sizes and padding, for convolution and pooling alike."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError, ShapeError

Sizes = int | tuple[int, ...]
Padding = str | int | tuple[int | tuple[int, int], ...]


def sizes(value: Sizes, rank: int) -> tuple[int, ...]:
    """One size for each spatial axis. Raises `ConfigError` for a tuple of another length."""
    made = (value,) * rank if isinstance(value, int) else value
    if len(made) != rank or min(made) < 1:
        raise ConfigError(f"an int of at least 1 or {rank} of them", str(value))
    return made


def explicit_padding(
    padding: Any, space: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> list[tuple[int, int]]:
    """The padding before and after each spatial axis, as numbers.

    `"same"` is TensorFlow's: the output has ceil(n / stride) places and an odd total pads one more after.
    Raises `ConfigError` for a padding that is none, `ShapeError` for a window larger than its padded input.
    """
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilation)]
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(space, stride, spans)]
        made = [(t // 2, t - t // 2) for t in totals]
    elif padding == "valid":
        made = [(0, 0)] * len(space)
    elif isinstance(padding, int):
        made = [(padding, padding)] * len(space)
    elif isinstance(padding, tuple) and len(padding) == len(space):
        made = [(p, p) if isinstance(p, int) else p for p in padding]
    else:
        raise ConfigError(f'padding "same", "valid", an int, or {len(space)} ints or pairs', repr(padding))
    for n, (before, after), span in zip(space, made, spans):
        if n + before + after < span:
            raise ShapeError(
                f"an input at least as long as the window of {span}", f"{n} with padding {before} + {after}"
            )
    return made
