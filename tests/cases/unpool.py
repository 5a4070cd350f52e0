"""Cases of max pooling with indices and its way back."""

import numpy as np
import torch.nn.functional as F

from compose import max_pool_indices, max_unpool
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def pooled(*args):
    def reference(p, s, x):
        y, index = POOL[x.ndim - 2](x, *args, return_indices=True)
        return y, index.int()

    return in_torch(reference)


def unpooled(*args, **options):
    return in_torch(lambda p, s, y, at: UNPOOL[y.ndim - 2](y, at.long(), *args, **options))


def places(*shape: int, among: int):
    """Indices that differ within each channel."""
    noise, count = np.random.default_rng(0), int(np.prod(shape[1:-1]))
    rows = [noise.permutation(among)[:count] for _ in range(shape[0] * shape[-1])]
    apart = np.array(rows, np.int32).reshape(shape[0], shape[-1], *shape[1:-1])
    return np.moveaxis(apart, 1, -1)


SHAPES = {1: (2, 9, 3), 2: (2, 9, 8, 3), 3: (2, 5, 6, 7, 2)}

CASES = [
    Case(max_pool_indices(3, 2, 1), (SHAPES[2],), pooled(3, 2, 1)),
    Case(max_unpool(), ((2, 4, 3, 2), places(2, 4, 3, 2, among=48)), unpooled(2)),
]

OPTIONS = [
    *(Case(max_pool_indices(), (SHAPES[n],), pooled(2)) for n in SHAPES),
    Case(max_pool_indices(3, 2, 1, (1, 2), True), (SHAPES[2],), pooled(3, 2, 1, (1, 2), True)),
    Case(max_unpool(3, 2, 1), ((2, 4, 2), places(2, 4, 2, among=7)), unpooled(3, 2, 1)),
    Case(max_unpool(out_size=(9, 6)), ((2, 4, 3, 2), places(2, 4, 3, 2, among=54)), unpooled(2, output_size=(9, 6))),
    Case(max_unpool(), ((1, 2, 2, 2, 2), places(1, 2, 2, 2, 2, among=64)), unpooled(2)),
]
