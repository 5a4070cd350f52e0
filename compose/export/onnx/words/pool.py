"""Pooling over windows and over space."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.export.onnx.primitives.shape import padded
from compose.export.onnx.registry import writes
from compose.export.onnx.words.conv import back, first
from compose.layers.pool.global_pool import global_avg_pool, global_max_pool
from compose.layers.pool.window import avg_pool, lp_pool, max_pool, pool_window


@writes(max_pool, avg_pool, lp_pool)
def pool(writer, layer: Any, p, s, x):
    over = pool_window(layer, x, getattr(layer, "dilation", 1))
    whole = isinstance(layer, lp_pool) and not float(layer.power).is_integer()
    hanging = any(over.overhang) and not isinstance(layer, max_pool)
    if hanging or whole or np.dtype(x.dtype).kind != "f":
        return NotImplemented
    channels = x.shape[1 if layer.channels_first else -1]
    options = {
        max_pool: lambda: {"dilations": list(over.dilation)},
        avg_pool: lambda: {"count_include_pad": int(layer.count_padding)},  # pyright: ignore[reportAttributeAccessIssue]
        lp_pool: lambda: {"p": int(layer.power)},  # pyright: ignore[reportAttributeAccessIssue]
    }
    op = {max_pool: "MaxPool", avg_pool: "AveragePool", lp_pool: "LpPool"}[type(layer)]
    seen, reach = first(writer, layer, x), over.reach
    if any(max(pair) >= size for pair, size in zip(reach, over.size)):  # onnxruntime refuses so much padding
        least = np.asarray(-np.inf, x.dtype)
        seen = padded(writer, seen, [0, 0, *(lo for lo, _ in reach)], [0, 0, *(hi for _, hi in reach)], least)
        reach = [(0, 0)] * len(reach)
    y = writer.node(
        op, seen, shape=(x.shape[0], channels, *over.places), kernel_shape=list(over.size),
        strides=list(over.stride), pads=[lo for lo, _ in reach] + [hi for _, hi in reach],
        **options[type(layer)](),
    )  # fmt: skip
    return back(writer, layer, y)


@writes(global_avg_pool, global_max_pool)
def over_space(writer, layer, p, s, x):
    given = dict(layer.options)
    if np.dtype(x.dtype).kind != "f":
        return NotImplemented
    channels_first = given.get("channels_first", False)
    seen = x if channels_first else writer.channels_first(x)
    ones = (1,) * (x.ndim - 2)
    op = "GlobalAveragePool" if layer.fn is global_avg_pool.fn else "GlobalMaxPool"
    y = writer.node(op, seen, shape=(x.shape[0], seen.shape[1], *ones))
    if given.get("keepdims"):
        return y if channels_first else writer.channels_last(y)
    return writer.node("Flatten", y, shape=(x.shape[0], seen.shape[1]))
