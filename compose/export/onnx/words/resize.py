"""Resizing of images."""

from __future__ import annotations

import numpy as np

from compose.export.onnx.registry import writes
from compose.export.onnx.words.conv import back, first
from compose.layers.resize import resize, upsample
from compose.layers.window import sizes, space_axes

MODES = ("nearest", "linear")  # of onnxruntime's others some differ: those are products with their matrices


@writes(resize, upsample)
def resized(writer, layer, p, s, x):
    axes = space_axes(x, layer.channels_first)
    rank = len(axes)
    if layer.method not in MODES or layer.antialias or np.dtype(x.dtype) != np.float32:
        return NotImplemented
    space = [x.shape[a] for a in axes]
    if isinstance(layer, resize):
        wanted = list(sizes(layer.size, rank))
        factors = [m / n for n, m in zip(space, wanted)]
    else:
        factors = layer.factor if isinstance(layer.factor, tuple) else (layer.factor,) * rank
        wanted = [max(int(n * f), 1) for n, f in zip(space, factors)]
    scales = np.array([1, 1, *factors], np.float32)
    scales = np.array([_enough(f, n) for f, n in zip(scales, (1, 1, *space))], np.float32)
    if any([int(kind(n) * kind(f)) for n, f in zip(space, scales[2:])] != wanted for kind in (np.float32, float)):
        return NotImplemented
    options = {"nearest_mode": "floor" if layer.coordinates == "asymmetric" else "round_prefer_ceil"}
    if layer.method == "nearest" and not _exact(space, wanted):
        return NotImplemented
    if layer.method == "linear":
        options = {}
    seen = first(writer, layer, x)
    y = writer.node(
        "Resize", seen, None, scales, shape=(*seen.shape[:2], *wanted), mode=layer.method,
        coordinate_transformation_mode=layer.coordinates,
        **options,
    )  # fmt: skip
    return back(writer, layer, y)


def _exact(before, after) -> bool:
    """Whether each length is a multiple of the other, so that no rounding decides which is nearest."""
    return all(n % m == 0 or m % n == 0 for n, m in zip(before, after))


def _enough(factor: np.float32, length: int) -> np.float32:
    """A factor as rounded, or the next one if its product with the length falls just short of an integer."""
    nearest = round(float(factor) * length)
    short = float(factor) * length < nearest and nearest - float(factor) * length < 1e-5
    return np.nextafter(factor, np.float32(np.inf)) if short else factor
