"""Cases of the fully connected layers."""

import numpy as np

from compose import fc, relu
from tests.cases.case import Case

CASES = [
    Case(fc(4), ((3, 5),), lambda p, s, x: x @ p["kernel"] + p["bias"]),
    Case(fc(4, bias=False), ((2, 3, 5),), lambda p, s, x: x @ p["kernel"]),
    Case(fc(4, relu), ((3, 5),), lambda p, s, x: np.maximum(x @ p["kernel"] + p["bias"], 0)),
]
