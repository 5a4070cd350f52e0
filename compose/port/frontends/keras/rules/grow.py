"""Layers of Keras that change the size of images: transposed and separable convolution, resampling, cropping."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.core import activation
from compose.port.frontends.keras.rules.image import layout, one

METHODS = {
    "nearest": "nearest",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


@rules("keras.layers.Conv1DTranspose", "keras.layers.Conv2DTranspose", "keras.layers.Conv3DTranspose")
def _conv_transpose(walk, layer, x):
    rank = len(layer.kernel_size)
    made = word("conv_transpose")(
        layer.filters, one(layer.kernel_size), activation(layer.activation), stride=one(layer.strides),
        dilation=one(layer.dilation_rate), bias=layer.use_bias, **_cut(layer), **layout(layer),
    )  # fmt: skip
    axes = (*range(rank), rank + 1, rank)
    kernel = walk.take(layer.kernel, axes=axes, flip=tuple(range(rank)), note="HWOI→HWIO, turned")
    return walk.emit(made, x, weights={"kernel": kernel, "bias": layer.bias})


def _cut(layer: Any) -> dict[str, Any]:
    """Keras's padding, where an `output_padding` is given as the numbers it stands for."""
    if layer.output_padding is None:
        return {"padding": layer.padding}
    extra = layer.output_padding
    extra = (extra,) * len(layer.kernel_size) if isinstance(extra, int) else tuple(extra)
    if layer.padding == "valid":
        return {"padding": 0, "output_padding": one(extra)}
    cuts = []
    for kernel, dilation, more in zip(layer.kernel_size, layer.dilation_rate, extra):
        span = (kernel - 1) * dilation + 1
        around = span + span % 2 - 2 + more
        left = min(-(-around // 2), span - 1)
        cuts.append((span - 1 - left, span - 1 - (around - left)))
    return {"padding": tuple(cuts)}


@rules("keras.layers.SeparableConv1D", "keras.layers.SeparableConv2D")
def _separable(walk, layer, x):
    made = word("separable_conv")(
        layer.filters, one(layer.kernel_size), activation(layer.activation), multiplier=layer.depth_multiplier,
        stride=one(layer.strides), padding=layer.padding, dilation=one(layer.dilation_rate), bias=layer.use_bias,
        **layout(layer),
    )  # fmt: skip
    kernel = layer.depthwise_kernel
    shape = (*kernel.shape[:-2], 1, kernel.shape[-2] * kernel.shape[-1])
    weights = {
        "depthwise/kernel": walk.take(kernel, shape=shape, note="HWCM→HW1(CM)"),
        "pointwise/kernel": layer.pointwise_kernel,
        "pointwise/bias": layer.bias,
    }
    return walk.emit(made, x, weights=weights)


@rules(*(f"keras.layers.UpSampling{n}D" for n in (1, 2, 3)))
def _upsample(walk, layer, x):
    size = layer.size if isinstance(layer.size, (tuple, list)) else (layer.size,)
    factor = one(tuple(map(float, size)))
    method = METHODS[getattr(layer, "interpolation", "nearest")]
    return walk.emit(word("upsample")(factor, method, **layout(layer)), x)


@rules(*(f"keras.layers.Cropping{n}D" for n in (1, 2, 3)))
def _crop(walk, layer, x):
    widths = layer.cropping if isinstance(layer.cropping[0], (tuple, list)) else (layer.cropping,)
    return walk.emit(word("crop")(tuple(tuple(w) for w in widths), **layout(layer)), x)


@rule("keras.layers.Resizing")
def _resize(walk, layer, x):
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.interpolation not in METHODS:
        raise PortError("resizing to a size, neither cropped nor padded to keep the ratio of the sides")
    options = layout(layer) | ({"antialias": True} if getattr(layer, "antialias", False) else {})
    made = word("resize")(one((layer.height, layer.width)), METHODS[layer.interpolation], **options)
    return walk.emit(made, x)


@rule("keras.layers.CenterCrop")
def _center_crop(walk, layer, x):
    return walk.emit(word("center_crop")(one((layer.height, layer.width)), **layout(layer)), x)
