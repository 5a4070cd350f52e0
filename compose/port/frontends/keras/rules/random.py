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
    """One draw of Keras's flips both axes."""
    together = {"together": True} if layer.mode == "horizontal_and_vertical" else {}
    return _drawn(walk, layer, word("random_flip")(_MODES[layer.mode], **together), x)


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


@rule("keras.layers.RandomHue")
def _hue(walk, layer, x):
    low, high = (float(f) / 2 for f in layer.factor)
    return _drawn(walk, layer, word("random_hue")((low, high), _ends(layer), either_sign=True), x)


@rule("keras.layers.RandomSaturation")
def _saturation(walk, layer, x):
    made = word("random_saturation")(_pair(layer.factor), limits=_ends(layer), odds=True)
    return _drawn(walk, layer, made, x)


@rule("keras.layers.RandomColorDegeneration")
def _color_degeneration(walk, layer, x):
    return _drawn(walk, layer, word("random_color_degeneration")(_range(layer.factor), _ends(layer)), x)


@rule("keras.layers.RandomSharpness")
def _sharpness(walk, layer, x):
    by = tuple(2 * float(f) - 1 for f in layer.factor)
    return _drawn(walk, layer, word("random_sharpness")(_range(by), _ends(layer)), x)


@rule("keras.layers.RandomColorJitter")
def _color_jitter(walk, layer, x):
    changes = {"brightness": _brightness, "contrast": _contrast, "saturation": _saturation, "hue": _hue}
    for name, change in changes.items():
        inner = getattr(layer, f"random_{name}")
        if inner is not None:
            x = change(walk, inner, x)
    return x


@rule("keras.layers.RandomInvert")
def _invert(walk, layer, x):
    return _drawn(walk, layer, word("random_invert")(_rate(layer), (0.0, float(layer.value_range[1]))), x)


@rule("keras.layers.RandomPosterization")
def _posterization(walk, layer, x):
    low, high = map(int, layer.factor)
    bits = low if high <= low + 1 else (low, high - 1)
    return _drawn(walk, layer, word("random_posterization")(bits, value_range=_ends(layer)), x)


@rule("keras.layers.Solarization")
def _solarization(walk, layer, x):
    ends = [(float(low) / 255, float(high)) for low, high in (layer.threshold_factor, layer.addition_factor)]
    if any(low > high for low, high in ends):
        raise PortError(f"factors whose low end, a count of 255, is below the high one, got {ends}")
    return _drawn(walk, layer, word("random_solarization")(*ends, value_range=_ends(layer)), x)


@rule("keras.layers.RandomGaussianBlur")
def _blur(walk, layer, x):
    width, height = map(int, layer.kernel_size)
    low, high = (float(s) + 1e-6 for s in layer.sigma)
    made = word("random_gaussian_blur")(
        width if width == height else (height, width), low if low == high else (low, high), _rate(layer), _ends(layer)
    )
    return _drawn(walk, layer, made, x)


@rule("keras.layers.RandomErasing")
def _erasing(walk, layer, x):
    fill = layer.fill_value
    fill = "noise" if fill is None else tuple(map(float, fill)) if isinstance(fill, (tuple, list)) else float(fill)
    options = {"fill_value": fill, "inside": True, "value_range": _ends(layer)}
    return _drawn(walk, layer, word("random_erasing")(_rate(layer), _pair(layer.scale), **options), x)


@rule("keras.layers.RandomPerspective")
def _perspective(walk, layer, x):
    made = word("random_perspective")(float(layer.scale), _rate(layer), float(layer.fill_value), **_between(layer))
    return _drawn(walk, layer, made, x)


@rule("keras.layers.RandomShear")
def _shear(walk, layer, x):
    height, width = _range(layer.y_factor), _range(layer.x_factor)
    own = {} if width == height else {"width_factor": width}
    made = word("random_shear")(height, **_filled(layer), **own, either_sign=True)
    return _drawn(walk, layer, made, x)


@rule("keras.layers.RandomCrop")
def _crop(walk, layer, x):
    """In inference Keras leaves the images whole, whatever its documentation says."""
    space = walk.given.shape[2:] if layout(layer) else walk.given.shape[1:3]
    size = (layer.height, layer.width)
    if None in space or any(n <= m for n, m in zip(space, size)):
        raise PortError(f"a crop to less than the images' height and width, got {size} of {tuple(space)}")
    return _drawn(walk, layer, word("random_crop")(size, per="batch", inference="whole"), x)


@rule("keras.layers.MixUp")
def _mix_up(walk, layer, x):
    return _drawn(walk, layer, word("mix_up")(float(layer.alpha)), x)


@rule("keras.layers.CutMix")
def _cut_mix(walk, layer, x):
    low, high = (float(f) + 1e-6 for f in layer.factor)
    return _drawn(walk, layer, word("cut_mix")(low if low == high else (low, high)), x)


@rule("keras.layers.ContrastLimitedAdaptiveHistogramEqualization")
def _clahe(walk, layer, x):
    rows, columns = map(int, layer.tile_grid_size)
    made = word("clahe")(float(layer.clip_limit), (rows, columns), _ends(layer))
    return _drawn(walk, layer, made, x)


@rule("keras.layers.Pipeline")
def _pipeline(walk, layer, x):
    shape = walk.given.shape[1:]
    for inner in layer.layers:
        x = walk.inside(inner, x, shape)
        shape = x.shape[1:]
    return x


_NO_EQUAL = {
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
    if "float" not in walk.given.dtype:
        x = walk.emit(word("ops.astype")(dtype=word("float32")), x)
    if not layout(layer):
        return walk.emit(made, x)
    return walk.emit(word("permute")(0, 3, 1, 2), walk.emit(made, walk.emit(word("permute")(0, 2, 3, 1), x)))


def _filled(layer: Any) -> dict[str, Any]:
    """How points outside the image, and between its pixels, are made."""
    value = {"fill_value": float(layer.fill_value)} if layer.fill_mode == "constant" else {}
    return {"fill_mode": layer.fill_mode, **value, **_between(layer)}


def _between(layer: Any) -> dict[str, Any]:
    return {} if layer.interpolation == "bilinear" else {"interpolation": layer.interpolation}


def _rate(layer: Any) -> float:
    """The probability for one image, for which Keras draws a probability from a range."""
    low, high = map(float, layer.factor)
    return (low + high) / 2


def _ends(layer: Any) -> tuple[float, float]:
    return _pair(layer.value_range)


def _pair(ends: Any) -> tuple[float, float]:
    low, high = map(float, ends)
    return low, high


def _range(factor: Any) -> Any:
    """One number for a symmetric range."""
    low, high = sorted((-factor, factor) if isinstance(factor, (int, float)) else map(float, factor))
    return float(high) if low == -high else (low, high)
