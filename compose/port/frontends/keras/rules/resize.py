"""Resizing and pixel shuffles."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.conv import layout, one


@rule("keras.ops.Resize")
def _resize_function(walk, op, x):
    return _resized(walk, op, tuple(op.size), x)


METHODS = {
    "nearest": "nearest",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


@rules(*(f"keras.layers.UpSampling{n}D" for n in (1, 2, 3)))
def _upsample(walk, layer, x):
    size = layer.size if isinstance(layer.size, (tuple, list)) else (layer.size,)
    factor = one(tuple(map(float, size)))
    method = METHODS[getattr(layer, "interpolation", "nearest")]
    return walk.emit(word("upsample")(factor, method, **layout(layer)), x)


@rule("keras.layers.Resizing")
def _resize(walk, layer, x):
    return _resized(walk, layer, (layer.height, layer.width), x)


def _resized(walk: Any, op: Any, size: tuple[int, int], x: Any) -> Any:
    """A batch of images of another size, cropped or padded before where the ratio of its sides is kept."""
    shape = walk.given.shape
    if op.interpolation not in METHODS or len(shape) != 4:
        raise PortError(f"resizing of a batch of images by {', '.join(METHODS)}, got {op.interpolation} of {shape}")
    if op.crop_to_aspect_ratio or op.pad_to_aspect_ratio:
        x = _of_ratio(walk, op, shape[2:] if layout(op) else shape[1:3], size, x)
    smooth = getattr(op, "antialias", False) and op.interpolation != "nearest"
    options = layout(op) | ({"antialias": True} if smooth else {})
    return walk.emit(word("resize")(one(size), METHODS[op.interpolation], **options), x)


def _of_ratio(walk: Any, op: Any, given: tuple, size: tuple[int, int], x: Any) -> Any:
    """The middle of an image, or the image between borders, whose sides have the ratio of those of `size`."""
    if None in given:
        raise PortError("a resizing that keeps the ratio of the sides of images of a known size")
    (height, width), (h, w) = given, size
    checked = (None, None, *given) if layout(op) else (None, *given, None)
    x = walk.emit(word("ensure_shape")(*checked), x, shape=x.shape)  # what is cut or added follows from its sides
    wanted = (int(float(width * h) / w), int(float(height * w) / h))
    if op.crop_to_aspect_ratio:
        kept = [max(min(n, m), 1) for n, m in zip(given, wanted)]
        starts = [int(float(n - m) / 2) for n, m in zip(given, kept)]
        widths = tuple((a, n - m - a) for n, m, a in zip(given, kept, starts))
        return walk.emit(word("crop")(widths, **layout(op)), x) if any(map(any, widths)) else x
    before = [int(float(max(n, m) - n) / 2) for n, m in zip(given, wanted)]
    if before[0]:  # Keras pads one of them, both ends alike
        before[1] = 0
    value = {"value": float(op.fill_value)} if op.fill_value else {}
    pad = word("pad")(tuple((n, n) for n in before), **value, **layout(op))
    shape = tuple(n + 2 * a for n, a in zip(given, before))
    return walk.emit(pad, x, shape=(x.shape[0], *_in_order(op, x, shape))) if any(before) else x


def _in_order(op: Any, x: Any, space: tuple[int, ...]) -> tuple[Any, ...]:
    return (x.shape[1], *space) if layout(op) else (*space, x.shape[-1])
