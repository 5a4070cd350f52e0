"""Cases of the layers that move numbers."""

import numpy as np

from compose import add_constant, at, concat, flatten, matmul, scale
from tests.cases.case import Case

CASES = [
    Case(flatten, ((2, 3, 4),), lambda p, s, x: x.reshape(2, 12)),
    Case(concat, ((2, 3), (2, 4)), lambda p, s, x, y: np.concatenate([x, y], -1)),
    Case(concat(axis=1), ((2, 3, 2), (2, 4, 2)), lambda p, s, x, y: np.concatenate([x, y], 1)),
    Case(scale(by=0.5), ((2, 3),), lambda p, s, x: x / 2),
    Case(add_constant(value=-1.5), ((2, 3),), lambda p, s, x: x - 1.5),
    Case(matmul, ((2, 3, 4), (2, 4, 5)), lambda p, s, x, y: x @ y),
    Case(at(":, -1"), ((2, 3, 4),), lambda p, s, x: x[:, -1]),
    Case(at("1"), ((2, 3), (2, 4)), lambda p, s, x, y: y),
]
