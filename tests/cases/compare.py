"""Cases of comparisons and choices."""

import numpy as np

from compose import equals, greater, less, logical_and, logical_not, logical_or, where
from tests.cases.case import Case

IDS = np.array([[0, 3, 1], [2, 0, 0]])
A, B = IDS > 0, IDS < 3

CASES = [
    Case(equals(value=0), (IDS,), lambda p, s, x: np.array([[1, 0, 0], [0, 1, 1]]), grad=False),
    Case(greater(value=0.5), ((2, 3),), lambda p, s, x: np.greater(x, 0.5), grad=False),
    Case(less, ((2, 3), (2, 3)), lambda p, s, x, y: np.less(x, y), grad=False),
    Case(logical_and, (A, B, A), lambda p, s, *xs: np.all(xs, 0), grad=False),
    Case(logical_not, (A,), lambda p, s, x: ~x, grad=False),
    Case(logical_or, (A, B, A), lambda p, s, *xs: np.any(xs, 0), grad=False),
    Case(where, (A, (2, 3), (2, 3)), lambda p, s, c, x, y: np.choose(c, [y, x])),
]

OPTIONS = [
    Case(equals, (IDS, IDS.T.reshape(2, 3)), lambda p, s, x, y: x == y, grad=False),
    Case(greater, ((2, 3), (2, 3)), lambda p, s, x, y: np.greater(x, y), grad=False),
    Case(less(value=0.5), ((2, 3),), lambda p, s, x: np.less(x, 0.5), grad=False),
]
