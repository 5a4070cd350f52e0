"""Cases of dropout, noise and augmentation: the identity in inference; what they draw is tested in their family."""

from compose import (
    alpha_dropout,
    drop_path,
    dropout,
    gaussian_dropout,
    gaussian_noise,
    random_brightness,
    random_contrast,
    random_crop,
    random_flip,
    spatial_dropout,
)
from tests.cases.case import Case

ROWS, IMAGE = ((5, 6),), ((3, 4, 5, 2),)


def same(p, s, x):
    return x


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
]
