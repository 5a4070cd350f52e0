"""Cases of the encodings of integers and numbers."""

import numpy as np

from compose import bucketize, float16, multi_hot, one_hot
from tests.cases.case import Case

IDS = np.array([[0, 3, 1], [2, 2, 0]])

CASES = [
    Case(one_hot(size=4), (IDS,), lambda p, s, x: np.eye(4)[x], grad=False),
    Case(one_hot(size=3, dtype=float16), (IDS,), lambda p, s, x: np.eye(4, 3)[x], grad=False),
    Case(multi_hot(size=4), (IDS,), lambda p, s, x: np.array([[1, 1, 0, 1], [1, 0, 1, 0.0]]), grad=False),
    Case(
        bucketize(boundaries=(-0.5, 0.0, 1.0)), ((3, 4),), lambda p, s, x: np.digitize(x, [-0.5, 0.0, 1.0]), grad=False
    ),
]
