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
    _last(layer)
    return walk.emit(word("random_flip")(_MODES[layer.mode]), x)


@rule("keras.layers.RandomRotation")
def _rotation(walk, layer, x):
    return walk.emit(word("random_rotation")(_range(layer.factor), **_filled(layer)), x)


@rule("keras.layers.RandomZoom")
def _zoom(walk, layer, x):
    if layer.width_factor is not None:
        raise PortError("a zoom of both axes alike, width_factor=None")
    return walk.emit(word("random_zoom")(_range(layer.height_factor), **_filled(layer)), x)


@rule("keras.layers.RandomTranslation")
def _translation(walk, layer, x):
    if layer.height_factor != layer.width_factor:
        raise PortError("a translation with height_factor equal to width_factor")
    return walk.emit(word("random_translation")(_range(layer.height_factor), **_filled(layer)), x)


@rule("keras.layers.RandomGrayscale")
def _grayscale(walk, layer, x):
    _last(layer)
    return walk.emit(word("random_grayscale")(float(layer.factor)), x)


@rules(*(f"keras.layers.{name}" for name in ("RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation")))
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


def _filled(layer: Any) -> dict[str, Any]:
    """The fill mode for points outside the image."""
    _last(layer)
    if layer.interpolation != "bilinear":
        raise PortError(f'interpolation="bilinear", got {layer.interpolation!r}')
    value = {"fill_value": float(layer.fill_value)} if layer.fill_mode == "constant" else {}
    return {"fill_mode": layer.fill_mode, **value}


def _last(layer: Any) -> None:
    if layout(layer):
        raise PortError(f"{type(layer).__name__} of images with their channels last")


def _range(factor: Any) -> Any:
    """One number for a symmetric range."""
    low, high = (-factor, factor) if isinstance(factor, (int, float)) else map(float, factor)
    return float(high) if low == -high else (low, high)
