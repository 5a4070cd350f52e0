"""Resizing and pixel shuffles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.layers.resize import pick, weights
from compose.port.frontends.onnx.literals import meant
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.frontends.onnx.resized import along_each, one_axis
from compose.port.lowering.windows import per_axis

_METHODS = {"nearest": ("nearest",), "linear": ("linear",), "cubic": ("torch_cubic", "cubic")}
_COORDINATES = ("half_pixel", "asymmetric", "align_corners")


@rule("onnx.Resize")
def _resize(low, node, x, roi=None, scales=None, sizes=None):
    x, given = low.channels_last(x), low.fixed(scales, any_batch=True)
    low.fixed(sizes, any_batch=True)  # what they say is in the shape
    before, after = x.shape[2:], low.shape[2:]
    if low.shape[:2] != x.shape[:2]:
        raise PortError(f"resizing of space alone, got {x.shape} to {low.shape}")
    if roi is not None and np.size(low.fixed(roi)) and node.get("coordinate_transformation_mode") == _CROPPED:
        raise PortError("resizing of the whole image, got a region of it")
    factors = tuple(b / a for a, b in zip(before, after))
    if given is not None and given.size:
        given = given if node.get("axes") is None else np.ones(x.ndim) * _placed(node.get("axes"), given, x.ndim)
        factors = tuple(meant(float(f)) for f in given[2:])
    axes = [one_axis(node, *row) for row in zip(before, after, factors)]
    wanted = [resized(_probe(n, node.get("mode", "nearest"))) for resized, n in zip(axes, before)]
    for method, coordinates, antialias in _forms(node):
        options = {"method": method, "coordinates": coordinates, "antialias": antialias}
        exact = [(n, m, n / m) for n, m in zip(before, after)]
        if all(_same(row, like, **options) for row, like in zip(exact, wanted)):
            return low.emit(_said(method, options, after, factors), x)
        if all(_same((n, m, 1 / f), like, **options) for (n, m, _), f, like in zip(exact, factors, wanted)):
            return low.emit(word("upsample")(per_axis(factors, len(factors)), **options), x)
    return along_each(
        low, x, [None if n == m and f == 1 else r for n, m, f, r in zip(before, after, factors, axes)], node
    )


_SAMPLED = {"bilinear": "linear", "linear": "linear", "nearest": "nearest", "bicubic": "cubic", "cubic": "cubic"}


@rule("onnx.GridSample")
def _at_places(low, node, x, grid):
    x, grid = low.channels_last(low.as_value(x)), low.as_source(low.as_value(grid))
    made = word("grid_sample")(
        _SAMPLED[node.get("mode", "linear")], node.get("padding_mode", "zeros"), bool(node.get("align_corners", 0))
    )
    return low.emit(made, x, grid, axes=x.axes)


_CROPPED = "tf_crop_and_resize"


def _placed(axes: tuple[int, ...], given: np.ndarray, rank: int) -> np.ndarray:
    made = np.ones(rank)
    made[list(axes)] = given
    return made


def _forms(node) -> Iterator[tuple[str, str, bool]]:
    """The layers to try."""
    antialias = bool(node.get("antialias", 0)) and node.get("mode") != "nearest"
    for method in _METHODS[node.get("mode", "nearest")]:
        for coordinates in ("half_pixel",) if antialias else _COORDINATES:
            yield method, coordinates, antialias


def _said(method: str, options: dict[str, Any], after: tuple[int, ...], factors: tuple[float, ...]) -> Any:
    if method == "nearest" and all(f.is_integer() for f in factors) and options["coordinates"] != "align_corners":
        return word("upsample")(per_axis([int(f) for f in factors], len(factors)))
    return word("resize")(per_axis(after, len(after)), **options)


def _same(row: tuple[int, int, float], like: np.ndarray, method: str, coordinates: str, antialias: bool) -> bool:
    before, after, step = row
    x = _probe(before, "nearest" if method == "nearest" else "")
    if method == "nearest":
        return np.array_equal(np.asarray(pick(x.astype(np.int32)[None], 1, after, step, coordinates))[0], like)
    made = weights(before, after, step, method, antialias, coordinates) @ x
    return made.shape == like.shape and np.allclose(made, like, rtol=0, atol=1e-6)


def _probe(size: int, mode: str) -> np.ndarray:
    return np.arange(size, dtype=float) if mode == "nearest" else np.random.default_rng(size).normal(size=size)


@rule("onnx.compose.Repeat")
def _repeat(low, node, x):
    times, x = node.get("times"), low.whole(x)
    if x.axes[-1] in times:
        x = low.moved(x, (0, *(a for a in x.axes[1:] if a in times), *(a for a in x.axes[1:] if a not in times)))
    factors = tuple(times.get(a, 1) for a in x.axes[1:-1])
    return low.emit(word("upsample")(per_axis(factors, len(factors))), x)


@rules("onnx.DepthToSpace", "onnx.SpaceToDepth")
def _blocks(low, node, x):
    x, factor = low.channels_last(x), node.get("blocksize")
    by_channel = node.get("mode", "DCR") == "CRD"
    if node.op == "onnx.SpaceToDepth":
        return low.emit(word("pixel_unshuffle" if by_channel else "space_to_depth")(factor), x)
    return low.emit(word("pixel_shuffle" if by_channel else "depth_to_space")(factor), x)
