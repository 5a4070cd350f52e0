"""Dropout, noise and augmentation."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.conv import layout


@rule("keras.layers.Dropout")
def _dropout(walk, layer, x):
    if not layer.rate:
        return x
    shared = tuple(i for i, n in enumerate(layer.noise_shape or ()) if n == 1)
    made = word("dropout")
    return walk.emit(made(float(layer.rate), shared_axes=shared) if shared else made(float(layer.rate)), x)


@rules(*(f"keras.layers.SpatialDropout{n}D" for n in (1, 2, 3)))
def _spatial_dropout(walk, layer, x):
    return walk.emit(word("spatial_dropout")(float(layer.rate), **layout(layer)), x) if layer.rate else x


@rules("keras.layers.GaussianDropout", "keras.layers.AlphaDropout")
def _noisy_dropout(walk, layer, x):
    name = "gaussian_dropout" if type(layer).__name__ == "GaussianDropout" else "alpha_dropout"
    if getattr(layer, "noise_shape", None) is not None:
        raise PortError("noise_shape=None; here the axes that share a draw are alpha_dropout(..., shared_axes=)")
    return walk.emit(word(name)(float(layer.rate)), x) if layer.rate else x


@rule("keras.layers.GaussianNoise")
def _gaussian_noise(walk, layer, x):
    return walk.emit(word("gaussian_noise")(float(layer.stddev)), x) if layer.stddev else x


@rule("keras.layers.StochasticDepth")
def _drop_path(walk, layer, x):
    return walk.emit(word("drop_path")(float(layer.drop_path_rate)), x)


_MODES = {"horizontal_and_vertical": "both", "horizontal": "horizontal", "vertical": "vertical"}


@rule("keras.layers.RandomFlip")
def _flip(walk, layer, x):
    return _drawn(walk, layer, word("random_flip")(_MODES[layer.mode]), x)


@rule("keras.layers.RandomRotation")
def _rotation(walk, layer, x):
    return _drawn(walk, layer, word("random_rotation")(_range(layer.factor), **_filled(layer)), x)


@rule("keras.layers.RandomZoom")
def _zoom(walk, layer, x):
    width = {} if layer.width_factor is None else {"width_factor": _range(layer.width_factor)}
    return _drawn(walk, layer, word("random_zoom")(_range(layer.height_factor), **_filled(layer), **width), x)


@rule("keras.layers.RandomTranslation")
def _translation(walk, layer, x):
    height, width = _range(layer.height_factor), _range(layer.width_factor)
    own = {} if width == height else {"width_factor": width}
    return _drawn(walk, layer, word("random_translation")(height, **_filled(layer), **own), x)


@rule("keras.layers.RandomGrayscale")
def _grayscale(walk, layer, x):
    return _drawn(walk, layer, word("random_grayscale")(float(layer.factor)), x)


@rule("keras.layers.RandomContrast")
def _contrast(walk, layer, x):
    low, high = map(float, layer.factor)
    made = word("random_contrast")(high if low == high else (0.0 - low, high), tuple(map(float, layer.value_range)))
    return _drawn(walk, layer, made, x)


@rule("keras.layers.RandomBrightness")
def _brightness(walk, layer, x):
    low, high = map(float, layer.value_range)
    by = tuple(float(f) * (high - low) for f in layer.factor)
    return _drawn(walk, layer, word("random_brightness")(_range(by), (low, high)), x)


@rules("keras.layers.RandomHue", "keras.layers.RandomSaturation")
def _color(walk, layer, x):
    name = type(layer).__name__
    raise PortError(
        f"a model without {name}, which cuts to its value_range in training alone; it is the identity in inference: "
        f"port the model without it, and put random_{name.removeprefix('Random').lower()}(...) and clip before it"
    )


_NO_EQUAL = {
    "RandomCrop": "random_crop", "RandomShear": "random_shear", "RandomErasing": "random_erasing",
    "RandomSharpness": "random_sharpness", "RandomGaussianBlur": "random_gaussian_blur",
    "RandomPosterization": "random_posterization", "RandomInvert": "random_invert",
    "RandomColorDegeneration": "random_color_degeneration", "RandomPerspective": "random_perspective",
    "RandomElasticTransform": "random_elastic_transform", "RandAugment": "rand_augment", "AugMix": "aug_mix",
}  # fmt: skip


@rules(*(f"keras.layers.{name}" for name in _NO_EQUAL))
def _other_law(walk, layer, x):
    name = type(layer).__name__
    raise PortError(
        f"a model without {name}, whose numbers follow another law than those of {_NO_EQUAL[name]} here: "
        f"port the model without it, and put {_NO_EQUAL[name]}(...) before it"
    )


def _drawn(walk: Any, layer: Any, made: Any, x: Any) -> Any:
    """A layer of images with their channels last, around which those of others are moved."""
    if walk.rank != 4:
        raise PortError(f"{type(layer).__name__} of a batch of images, got {walk.rank} axes")
    if "float" not in walk.node.input_tensors[0].dtype:
        x = walk.emit(word("ops.astype")(dtype=word("float32")), x)
    if not layout(layer):
        return walk.emit(made, x)
    return walk.emit(word("permute")(0, 3, 1, 2), walk.emit(made, walk.emit(word("permute")(0, 2, 3, 1), x)))


def _filled(layer: Any) -> dict[str, Any]:
    """How points outside the image, and between its pixels, are made."""
    value = {"fill_value": float(layer.fill_value)} if layer.fill_mode == "constant" else {}
    between = {} if layer.interpolation == "bilinear" else {"interpolation": layer.interpolation}
    return {"fill_mode": layer.fill_mode, **value, **between}


def _range(factor: Any) -> Any:
    """One number for a symmetric range."""
    low, high = sorted((-factor, factor) if isinstance(factor, (int, float)) else map(float, factor))
    return float(high) if low == -high else (low, high)
