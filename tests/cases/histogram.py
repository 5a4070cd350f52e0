"""Cases of contrast by rank: by counting pixels, and by SciPy's interpolation between the centres of tiles."""

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from compose import clahe, equalize
from tests.cases.case import Case


def equalized(bins=256):
    """How many pixels are not brighter, without those as dark as the darkest."""

    def reference(p, s, x):
        y = np.empty_like(x)
        for b, c in np.ndindex(x.shape[0], x.shape[-1]):
            level = np.floor(x[b, ..., c].clip(0, 1) * (bins - 1))
            darkest = np.sum(level == level.min())
            below = np.sum(level.ravel() <= level[..., None], -1) - darkest
            y[b, ..., c] = np.round(below * 255 / (level.size - darkest)) / 255
        return y

    return reference


def tiled(limit, grid):
    """Each level's table on the centres of the tiles, where a place beyond the outermost counts as theirs."""

    def table(tile):
        counts = np.array([np.sum(tile == v) for v in range(256)], float)
        kept = np.minimum(counts, limit * tile.size / 256) if limit else counts
        shares = np.cumsum(kept + np.sum(counts - kept) / 256)
        return np.clip((shares - shares[0]) / (tile.size - shares[0]), 0, 1)

    def reference(p, s, x):
        (batch, *space, channels), y = x.shape, np.empty_like(x)
        size = [-(-n // g) for n, g in zip(space, grid)]
        centres = [np.arange(g) * n + n / 2 for n, g in zip(size, grid)]
        places = np.stack(np.meshgrid(*[np.arange(n).clip(c[0], c[-1]) for n, c in zip(space, centres)]), -1)
        for b, c in np.ndindex(batch, channels):
            level = np.floor(x[b, ..., c].clip(0, 1) * 255).astype(int)
            full = np.pad(level, [(0, n * g - m) for n, g, m in zip(size, grid, space)], "symmetric")
            rows = [np.split(row, grid[1], 1) for row in np.split(full, grid[0], 0)]
            tables = RegularGridInterpolator(centres, np.array([[table(t) for t in row] for row in rows]))
            every = tables(places).swapaxes(0, 1)
            y[b, ..., c] = np.take_along_axis(every, level[..., None], -1)[..., 0]
        return y

    return reference


CASES = [
    Case(equalize, ((2, 5, 6, 3),), equalized(), grad=False),
    Case(equalize(bins=10), ((2, 9, 2),), equalized(10), grad=False),
    Case(clahe(), ((2, 20, 17, 2),), tiled(4.0, (8, 8)), grad=False),
    Case(clahe(40.0, (2, 3)), ((2, 9, 12, 2),), tiled(40.0, (2, 3)), grad=False),
    Case(clahe(0.0, (3, 2)), ((1, 11, 8, 1),), tiled(0.0, (3, 2)), grad=False),
]
