"""Cases of comparisons and choices."""

import numpy as np

from compose import ops
from tests.cases.case import Case

IDS = np.array([[0, 3, 1], [2, 0, 0]])
A, B = IDS > 0, IDS < 3

CASES = [
    Case(ops.equal(y=0), (IDS,), lambda p, s, x: np.array([[1, 0, 0], [0, 1, 1]]), grad=False),
    Case(ops.greater(y=0.5), ((2, 3),), lambda p, s, x: np.greater(x, 0.5), grad=False),
    Case(ops.less, ((2, 3), (2, 3)), lambda p, s, x, y: np.less(x, y), grad=False),
    Case(ops.logical_and, (A, B), lambda p, s, *xs: np.all(xs, 0), grad=False),
    Case(ops.logical_not, (A,), lambda p, s, x: ~x, grad=False),
    Case(ops.logical_or, (A, B), lambda p, s, *xs: np.any(xs, 0), grad=False),
    Case(ops.where, (A, (2, 3), (2, 3)), lambda p, s, c, x, y: np.choose(c, [y, x])),
    Case(ops.where(y=-2.0), (A, (2, 3)), lambda p, s, c, x: np.where(c, x, -2.0)),
]

OPTIONS = [
    Case(ops.equal, (IDS, IDS.T.reshape(2, 3)), lambda p, s, x, y: x == y, grad=False),
    Case(ops.greater, ((2, 3), (2, 3)), lambda p, s, x, y: np.greater(x, y), grad=False),
    Case(ops.less(y=0.5), ((2, 3),), lambda p, s, x: np.less(x, 0.5), grad=False),
]
