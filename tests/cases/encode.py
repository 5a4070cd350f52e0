"""Cases of the encodings of integers and numbers."""

import numpy as np

from compose import bucketize, float16, integer_lookup, multi_hot, one_hot
from tests.cases.case import Case

IDS = np.array([[0, 3, 1], [2, 2, 0]])
TOKENS = np.array([[12, 1138, 42], [-7, 1000, 36], [0, 12, 2**30]])


def places(vocabulary, unknown=1, mask=None):
    """The dictionary's way."""
    first = int(mask is not None)
    known = {v: first + unknown + i for i, v in enumerate(vocabulary)} | {mask: 0}
    return lambda p, s, x: np.vectorize(lambda v: known.get(v, first + v % unknown))(x)


CASES = [
    Case(one_hot(size=4), (IDS,), lambda p, s, x: np.eye(4)[x], grad=False),
    Case(one_hot(size=3, dtype=float16), (IDS,), lambda p, s, x: np.eye(4, 3)[x], grad=False),
    Case(multi_hot(size=4), (IDS,), lambda p, s, x: np.array([[1, 1, 0, 1], [1, 0, 1, 0.0]]), grad=False),
    Case(integer_lookup((12, 36, 1138, 42)), (TOKENS,), places((12, 36, 1138, 42)), grad=False),
    Case(integer_lookup((42, 12), 3, 0), (TOKENS,), places((42, 12), 3, 0), grad=False),
    Case(
        bucketize(boundaries=(-0.5, 0.0, 1.0)), ((3, 4),), lambda p, s, x: np.digitize(x, [-0.5, 0.0, 1.0]), grad=False
    ),
]
