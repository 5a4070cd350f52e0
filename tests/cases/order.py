"""Cases of what is in order along an axis, and of picking by position."""

import numpy as np

from compose import at, ops
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

X = (2, 3, 4)
PLACES = np.array([[[3, 0], [1, 1], [2, 3]], [[0, 0], [2, 1], [3, 2]]])


def case(layer, fn, *inputs):
    return Case(layer, inputs or (X,), in_torch(lambda p, s, *xs: fn(*xs), turned=False))


def places(layer, fn):
    """Of whole numbers no gradient is asked."""
    return Case(layer, (X,), lambda p, s, x: fn(x), grad=False)


CASES = [
    case(ops.sort(axis=1), lambda x: x.sort(1)[0]),
    places(ops.argsort, lambda x: x.argsort(-1)),
    case(ops.top_k(k=2) >> at("0"), lambda x: x.topk(2)[0]),
    places(ops.top_k(k=2) >> at("1"), lambda x: (-x).argsort(-1)[..., :2]),
    case(ops.take_along_axis, lambda x, i: x.gather(-1, i), X, PLACES),
]

OPTIONS = [
    case(ops.sort(descending=True), lambda x: x.sort(-1, descending=True)[0]),
    places(ops.argsort(axis=1, descending=True), lambda x: (-x).argsort(1)),
]
