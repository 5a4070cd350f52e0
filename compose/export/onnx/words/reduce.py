"""Means, which ONNX has as one node."""

from __future__ import annotations

import numpy as np

from compose import ops
from compose.export.onnx.registry import writes
from compose.layers.shape import flatten


@writes(ops.mean)
def mean(writer, layer, p, s, x):
    given = dict(layer.options)
    if set(given) - {"axis", "keepdims"} or np.dtype(x.dtype).kind != "f":
        return NotImplemented
    axis = given.get("axis")
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    out = writer.out(layer, x)
    return writer.node(
        "ReduceMean", x, np.array([a % x.ndim for a in axes], np.int64), shape=out.shape,
        keepdims=int(bool(given.get("keepdims"))),
    )  # fmt: skip


@writes(flatten)
def flat(writer, layer, p, s, x):
    given = dict(layer.options)
    start, end = given.get("start", 1) % x.ndim, given.get("end", -1) % x.ndim
    if start != 1 or end != x.ndim - 1 or x.ndim < 2:
        return NotImplemented
    return writer.node("Flatten", x, shape=writer.out(layer, x).shape)
