"""Cases of pooling."""

import torch.nn.functional as F

from compose import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    lp_pool,
    max_pool,
)
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
LP = {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}
ADAPTIVE_AVG = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}


def pooled(fns: dict, *args, **options):
    return in_torch(lambda p, s, x: fns[x.ndim - 2](x, *args, **options))


def over_space(fn: str, **options):
    return in_torch(lambda p, s, x: getattr(x, fn)(dim=tuple(range(2, x.ndim)), **options))


SHAPES = {1: (2, 9, 3), 2: (2, 9, 8, 3), 3: (2, 5, 6, 7, 2)}
IMAGE = (SHAPES[2],)

CASES = [
    Case(max_pool(), IMAGE, pooled(MAX, 2)),
    Case(max_pool(3, 2, 1, ceil_mode=True), IMAGE, pooled(MAX, 3, 2, 1, ceil_mode=True)),
    Case(avg_pool(), IMAGE, pooled(AVG, 2)),
    Case(avg_pool(3, 2, 1, count_padding=False), IMAGE, pooled(AVG, 3, 2, 1, count_include_pad=False)),
    Case(lp_pool(2), IMAGE, pooled(LP, 2, 2)),
    Case(global_avg_pool, IMAGE, over_space("mean")),
    Case(global_avg_pool(keepdims=True), IMAGE, over_space("mean", keepdim=True)),
    Case(global_max_pool, IMAGE, over_space("amax")),
    Case(adaptive_avg_pool(3), IMAGE, pooled(ADAPTIVE_AVG, 3)),
    Case(adaptive_max_pool((4, None)), IMAGE, pooled(ADAPTIVE_MAX, (4, None))),
]

OPTIONS = [
    *(Case(max_pool(2), (SHAPES[n],), pooled(MAX, 2)) for n in SHAPES),
    *(Case(avg_pool(2), (SHAPES[n],), pooled(AVG, 2)) for n in SHAPES),
    *(Case(lp_pool(4, 2), (SHAPES[n],), pooled(LP, 4, 2)) for n in SHAPES),
    *(Case(adaptive_avg_pool(4), (SHAPES[n],), pooled(ADAPTIVE_AVG, 4)) for n in SHAPES),
    *(Case(adaptive_max_pool(4), (SHAPES[n],), pooled(ADAPTIVE_MAX, 4)) for n in SHAPES),
    Case(adaptive_avg_pool(13), IMAGE, pooled(ADAPTIVE_AVG, 13)),
    Case(max_pool(3, (1, 2), 1), IMAGE, pooled(MAX, 3, (1, 2), 1)),
    Case(max_pool(2, dilation=3), IMAGE, pooled(MAX, 2, dilation=3)),
    Case(max_pool((3, 2), 2, 1, dilation=(1, 2), ceil_mode=True), IMAGE, pooled(MAX, (3, 2), 2, 1, (1, 2), True)),
    *(
        Case(
            avg_pool(size, stride, padding, ceil_mode=ceil, count_padding=count),
            IMAGE,
            pooled(AVG, size, stride, padding, ceil, count),
        )
        for size, stride, padding in ((3, 2, 1), (2, 3, 1), (5, 4, 2), (4, 3, 2))
        for ceil in (False, True)
        for count in (False, True)
    ),
    Case(lp_pool(2, 3, 2, ceil_mode=True), IMAGE, pooled(LP, 2, 3, 2, True)),
]
