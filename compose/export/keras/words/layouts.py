"""Channels last, as Keras has them everywhere, and padding that its layers have not."""

from __future__ import annotations

from typing import Any

from compose.export.source.text import same


def order(rank: int, to_last: bool) -> tuple[int, ...]:
    return (0, *range(2, rank), 1) if to_last else (0, rank - 1, *range(1, rank - 1))


def to_last(w, layer: Any, x):
    """The input with its channels last."""
    if not layer.channels_first:
        return x
    shape = (x.shape[0], *x.shape[2:], x.shape[1])
    return w.call(x, f"ops.transpose({{}}, {order(x.ndim, True)})", shape=shape)


def back(w, layer: Any, y):
    """An output with its channels where the layer has them."""
    if not layer.channels_first:
        return y
    shape = (y.shape[0], y.shape[-1], *y.shape[1:-1])
    return w.call(y, f"ops.transpose({{}}, {order(y.ndim, False)})", shape=shape)


def widened(x, widths) -> tuple[int, ...]:
    return (x.shape[0], *(n + sum(pair) for n, pair in zip(x.shape[1:-1], widths)), x.shape[-1])


def pairs_text(widths: Any) -> str:
    """The widths as `ZeroPadding` and `Cropping` take them."""
    widths = [tuple(pair) for pair in widths]
    if all(pair == (widths[0][0],) * 2 for pair in widths):
        return f"{widths[0][0]}"
    return f"{widths[0]}" if len(widths) == 1 else f"{tuple(widths)}"


def padded(w, x, widths: Any, value: float = 0.0):
    """Constants around the spatial axes of an array with its channels last."""
    if not any(map(any, widths)):
        return x
    shape = widened(x, widths)
    if value == 0:
        return w.module(x, f"layers.ZeroPadding{len(widths)}D({pairs_text(widths)})", shape=shape)
    around = [(0, 0), *map(tuple, widths), (0, 0)]
    text = f'float("{value}")' if value in (float("inf"), -float("inf")) else repr(value)
    return w.call(x, f"ops.pad({{}}, {around}, constant_values={text})", shape=shape)


def cropped(w, x, widths: Any):
    if not any(map(any, widths)):
        return x
    shape = widened(x, [(-a, -b) for a, b in widths])
    return w.module(x, f"layers.Cropping{len(widths)}D({pairs_text(widths)})", shape=shape)


def extra(**given: Any) -> str:
    """Arguments that differ from Keras's defaults."""
    usual = {
        "strides": 1,
        "padding": "valid",
        "dilation_rate": 1,
        "groups": 1,
        "use_bias": True,
        "output_padding": None,
    }
    given = {k: same(v) if isinstance(v, tuple) else v for k, v in given.items()}
    return "".join(f", {k}={v!r}" for k, v in given.items() if v != usual.get(k)).replace("'", '"')
