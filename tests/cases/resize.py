"""Cases of resampling."""

import numpy as np
import torch.nn.functional as F

from compose import grid_sample, resize, upsample
from tests.cases.case import Case
from tests.cases.in_torch import first, in_torch, last

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def interpolated(mode=None, **options):
    return in_torch(lambda p, s, x: F.interpolate(x, mode=mode or LINEAR[x.ndim - 2], **options))


def covered(n):
    """The mean of what each place covers: of the input written out n times, one value of n equal parts."""

    def reference(p, s, x):
        for axis in (1, 2):
            length = x.shape[axis]
            x = np.moveaxis(x.repeat(n, axis), axis, -1)
            x = np.moveaxis(x.reshape(*x.shape[:-1], n, length).mean(-1), -1, axis)
        return x

    return reference


def by_kernel(n, kernel, reach):
    """Each place as the mean of those within reach, weighed by their distance."""

    def matrix(length):
        made = np.zeros((n, length))
        for i, j in np.ndindex(made.shape):
            distance = abs((i + 0.5) * length / n - 0.5 - j)
            made[i, j] = kernel(distance) if distance < reach else 0
        return made / made.sum(1, keepdims=True)

    return lambda p, s, x: np.einsum("bhwc,ih,jw->bijc", x, matrix(x.shape[1]), matrix(x.shape[2]))


def mitchell(x):
    if x < 1:
        return 7 / 6 * x**3 - 2 * x**2 + 8 / 9
    return -7 / 18 * x**3 + 2 * x**2 - 10 / 3 * x + 16 / 9


STEPS, IMAGE, VOLUME = ((2, 5, 3),), ((2, 5, 6, 3),), ((2, 3, 4, 5, 2),)


def sampled(mode="bilinear", padding="zeros", corners=False):
    reference = lambda p, s, x, grid: F.grid_sample(x, grid, mode, padding, corners)
    turned = lambda p, s, x, grid: last(reference(p, s, first(x), grid))
    return in_torch(turned, turned=False)


PLACES = np.random.default_rng(3).uniform(-1.4, 1.4, (2, 3, 4, 2))

CASES = [
    Case(grid_sample(), (IMAGE[0], (2, 3, 4, 2)), sampled()),
    Case(grid_sample("cubic", "reflection"), (IMAGE[0], PLACES), sampled("bicubic", "reflection")),
    Case(grid_sample("nearest", "border", True), (IMAGE[0], PLACES), sampled("nearest", "border", True)),
    Case(
        grid_sample("linear", "reflection", True), (VOLUME[0], (2, 3, 2, 4, 3)), sampled("bilinear", "reflection", True)
    ),
    Case(resize((8, 3)), IMAGE, interpolated(size=(8, 3))),
    Case(resize((8, 3), "cubic", antialias=True), IMAGE, interpolated("bicubic", size=(8, 3), antialias=True)),
    Case(upsample(), IMAGE, interpolated("nearest", scale_factor=2)),
    Case(resize(4, "area"), IMAGE, covered(4)),
    Case(resize(4, "mitchell"), IMAGE, by_kernel(4, mitchell, 2)),
    Case(resize(4, "gaussian"), IMAGE, by_kernel(4, lambda x: np.exp(-2 * x**2), 1.5)),
    Case(upsample((2, 1.5), "torch_cubic"), IMAGE, interpolated("bicubic", scale_factor=(2, 1.5))),
]

OPTIONS = [
    *(Case(resize(7), shape, interpolated(size=7)) for shape in (STEPS, IMAGE, VOLUME)),
    *(Case(resize(3), shape, interpolated(size=3)) for shape in (STEPS, IMAGE, VOLUME)),
    *(
        Case(resize(n, coordinates="align_corners"), shape, interpolated(size=n, align_corners=True))
        for shape in (STEPS, IMAGE, VOLUME)
        for n in (1, 3, 7)
    ),
    *(Case(resize(n, "nearest"), IMAGE, interpolated("nearest-exact", size=n)) for n in (3, 7, 10)),
    *(
        Case(resize(n, "nearest", coordinates="asymmetric"), shape, interpolated("nearest", size=n))
        for shape in (STEPS, IMAGE, VOLUME)
        for n in (3, 7, 10)
    ),
    *(Case(resize(n, antialias=True), IMAGE, interpolated(size=(n, n), antialias=True)) for n in (2, 3, 7)),
    *(Case(resize(n, "torch_cubic"), IMAGE, interpolated("bicubic", size=n)) for n in (1, 3, 9)),
    Case(
        resize(9, "torch_cubic", coordinates="align_corners"),
        IMAGE,
        interpolated("bicubic", size=9, align_corners=True),
    ),
    *(Case(upsample(f, "linear"), IMAGE, interpolated(scale_factor=f)) for f in (2, 1.7, 0.6)),
    *(Case(upsample(f), IMAGE, interpolated("nearest-exact", scale_factor=f)) for f in (3, 1.7, 0.6)),
]
