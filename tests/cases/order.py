"""Cases of what is in order along an axis, and of picking by position."""

import numpy as np

from compose import argsort, at, gather, sort, top_k
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
    case(sort(axis=1), lambda x: x.sort(1)[0]),
    places(argsort, lambda x: x.argsort(-1)),
    case(top_k(k=2) >> at("0"), lambda x: x.topk(2)[0]),
    places(top_k(k=2) >> at("1"), lambda x: (-x).argsort(-1)[..., :2]),
    case(gather, lambda x, i: x.gather(-1, i), X, PLACES),
]

OPTIONS = [
    case(sort(descending=True), lambda x: x.sort(-1, descending=True)[0]),
    places(argsort(axis=1, descending=True), lambda x: (-x).argsort(1)),
]
