"""Resizing and pixel shuffles."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.conv import layout, one


@rule("keras.ops.Resize")
def _resize_function(walk, op, x):
    if op.crop_to_aspect_ratio or op.pad_to_aspect_ratio or op.interpolation not in METHODS:
        raise PortError("resizing to a size, neither cropped nor padded to keep the ratio of the sides")
    options = layout(op) | ({"antialias": True} if op.antialias else {})
    return walk.emit(word("resize")(one(op.size), METHODS[op.interpolation], **options), x)


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
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.interpolation not in METHODS:
        raise PortError("resizing to a size, neither cropped nor padded to keep the ratio of the sides")
    options = layout(layer) | ({"antialias": True} if getattr(layer, "antialias", False) else {})
    made = word("resize")(one((layer.height, layer.width)), METHODS[layer.interpolation], **options)
    return walk.emit(made, x)
