"""Resizing as its opset means it, and windows that onnx's reference computes wrongly."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_grid_sample import GridSample as _GridSample
from onnx.reference.ops.op_resize import Resize as _Resize

from compose.port.frontends.onnx.exact.elementwise import opset
from compose.port.frontends.onnx.literals import meant

SIMPLE = "simple"  # how `nearest` picks before opset 11: down where it enlarges, up where it shrinks


class Resize(_Resize):
    """By scales as they were meant; before opset 11 at `x / scale`, whatever the mode."""

    def _run(self, X, roi=None, scales=None, sizes=None, **options):  # pyright: ignore[reportIncompatibleMethodOverride]
        if opset(self) < 11:
            roi, scales, options = None, roi, {**options, **BEFORE_11}
        if scales is not None:
            scales = np.array([meant(float(np.float32(s))) for s in scales])
        if options.get("nearest_mode") == SIMPLE:
            if options.get("mode", "nearest") == "nearest":
                return (_nearest(X, scales),)
            options["nearest_mode"] = "floor"
        return super()._run(X, roi, scales, sizes, **options)


BEFORE_11 = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": SIMPLE}


class Upsample(OpRun):
    """What `Resize` became."""

    def _run(self, x, scales=None, mode="nearest", **before: Any):
        scales = [meant(float(np.float32(s))) for s in (before["scales"] if scales is None else scales)]
        if mode == "nearest":
            return (_nearest(x, scales),)
        for axis, scale in enumerate(scales):
            x = x if scale == 1 else _linear(x, axis, scale)
        return (x,)


def _nearest(x: np.ndarray, scales: Any) -> np.ndarray:
    for axis, scale in enumerate(scales):
        at = np.float32(np.arange(int(x.shape[axis] * np.float32(scale)))) / np.float32(scale)
        places = np.floor(at) if scale >= 1 else np.ceil(at)
        x = np.take(x, np.clip(places, 0, x.shape[axis] - 1).astype(int), axis)
    return x


def _linear(x: np.ndarray, axis: int, scale: float) -> np.ndarray:
    at = np.minimum(np.arange(int(x.shape[axis] * np.float32(scale))) / scale, x.shape[axis] - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, x.shape[axis] - 1)
    share = (at - before).reshape((-1, *(1,) * (x.ndim - 1 - axis)))
    return np.take(x, before, axis) * (1 - share) + np.take(x, after, axis) * share


class GlobalMaxPool(OpRun):
    """The largest over all of space, of any rank."""

    def _run(self, x):
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class ConvTranspose(OpRun):
    """The gradient of a convolution, in groups too."""

    def _run(
        self, x, w, b=None, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, output_padding=None,
        output_shape=None, pads=None, strides=None,
    ):  # fmt: skip
        size, kernel = x.shape[2:], w.shape[2:]
        n = len(size)
        steps, gaps = tuple(strides or (1,) * n), tuple(dilations or (1,) * n)
        extra = tuple(output_padding or (0,) * n)[:n]
        full = [(i - 1) * s + (k - 1) * d + 1 for i, s, k, d in zip(size, steps, kernel, gaps)]
        groups = x.reshape(len(x), group, -1, *size)
        of_groups = w.reshape(group, -1, w.shape[1], *kernel)
        y = np.zeros((len(x), group, w.shape[1], *(f + e for f, e in zip(full, extra))), x.dtype)
        for at in itertools.product(*map(range, kernel)):
            into = tuple(slice(k * d, k * d + (i - 1) * s + 1, s) for k, d, i, s in zip(at, gaps, size, steps))
            part = np.einsum("bgi...,gio->bgo...", groups, of_groups[(..., *at)])
            y[(..., *into)] += part
        y = y.reshape(len(x), -1, *y.shape[3:])
        if output_shape is not None or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            wanted = output_shape or [i * s for i, s in zip(size, steps)]
            cut = [have - want for have, want in zip(y.shape[2:], wanted)]
            small, large = [t // 2 for t in cut], [t - t // 2 for t in cut]
            first, last = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
        else:
            given = tuple(pads or (0,) * 2 * n) if auto_pad != "VALID" else (0,) * 2 * n
            first, last = given[:n], given[n:]
        y = y[(..., *(slice(a, have - z) for a, z, have in zip(first, last, y.shape[2:])))]
        return (y if b is None else y + b.reshape(-1, *(1,) * n),)


class Pad(OpRun):
    """With widths below zero, which cut, too."""

    def _run(self, x, pads=None, value=None, axes=None, mode="constant", **before):
        pads = before.get("pads", ()) if pads is None else pads
        fill = before.get("value", 0.0) if value is None else np.ravel(value)[0] if np.size(value) else 0.0
        where = range(x.ndim) if axes is None else [int(a) % x.ndim for a in axes]
        widths = [(0, 0)] * x.ndim
        for i, axis in enumerate(where):
            widths[axis] = int(pads[i]), int(pads[i + len(where)])
        x = x[tuple(slice(max(-a, 0), n - max(-z, 0)) for (a, z), n in zip(widths, x.shape))]
        around = [(max(a, 0), max(z, 0)) for a, z in widths]
        options: Any = {"mode": mode, **({"constant_values": fill} if mode == "constant" else {})}
        return (np.pad(x, around, **options),)


class GridSample(_GridSample):
    """At places in float64."""

    def _gs_denormalize_coordinates(self, n, dims, align_corners: bool):
        return np.array([self._gs_denormalize(v, dim, align_corners) for v, dim in zip(n, dims)])


OPERATIONS = [Resize, Upsample, GlobalMaxPool, ConvTranspose, Pad, GridSample]
