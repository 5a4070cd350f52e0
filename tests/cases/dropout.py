"""Cases of dropout, noise and augmentation: the identity in inference; what they draw is tested in their family."""

import numpy as np

from compose import (
    alpha_dropout,
    aug_mix,
    auto_contrast,
    cut_mix,
    drop_path,
    dropout,
    gaussian_dropout,
    gaussian_noise,
    mix_up,
    rand_augment,
    random_brightness,
    random_color_degeneration,
    random_contrast,
    random_crop,
    random_elastic_transform,
    random_erasing,
    random_flip,
    random_gaussian_blur,
    random_grayscale,
    random_hue,
    random_invert,
    random_perspective,
    random_posterization,
    random_rotation,
    random_saturation,
    random_sharpness,
    random_shear,
    random_solarization,
    random_translation,
    random_zoom,
    solarize,
    spatial_dropout,
)
from tests.cases.case import Case

ROWS, IMAGE, COLOURS = ((5, 6),), ((3, 4, 5, 2),), (np.random.default_rng(0).uniform(0.05, 0.75, (2, 4, 5, 3)),)

LABELLED = ((4, 4, 5, 3), (4, 3))


def same(p, s, x):
    return x


def stretched(p, s, x):
    low, high = x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    return (x - low) / (high - low)


CASES = [
    Case(dropout(0.4), ROWS, same),
    Case(dropout(0.4, shared_axes=(-1,)), ROWS, same),
    Case(spatial_dropout(0.4), IMAGE, same),
    Case(drop_path(0.4), IMAGE, same),
    Case(alpha_dropout(0.4), ROWS, same),
    Case(gaussian_dropout(0.4), ROWS, same),
    Case(gaussian_noise(0.4), ROWS, same),
    Case(random_flip("both"), IMAGE, same),
    Case(random_crop((2, 4)), IMAGE, lambda p, s, x: x[:, 1:3, :4]),
    Case(random_contrast(0.4), IMAGE, same),
    Case(random_brightness(0.4), IMAGE, same),
    *(Case(random(0.1), COLOURS, same) for random in (random_hue, random_saturation, random_color_degeneration)),
    *(Case(random(0.1), COLOURS, same) for random in (random_sharpness, random_grayscale, random_invert)),
    *(Case(random(0.1), COLOURS, same) for random in (random_rotation, random_zoom, random_translation, random_shear)),
    Case(random_posterization(3), COLOURS, same, grad=False),
    Case(random_solarization(), COLOURS, same),
    *(Case(random(0.5), COLOURS, same) for random in (random_perspective, random_elastic_transform)),
    *(Case(mix, LABELLED, lambda p, s, *x: x) for mix in (mix_up(), cut_mix())),
    Case(rand_augment(1), COLOURS, same, grad=False),
    Case(aug_mix(2, 1), COLOURS, same, grad=False),
    Case(random_gaussian_blur(), COLOURS, same),
    Case(random_erasing(), COLOURS, same),
    Case(solarize, COLOURS, lambda p, s, x: np.where(x < 0.5, x, 1 - x)),
    Case(auto_contrast, COLOURS, stretched),
]
