"""Cases of the activations."""

import numpy as np
from scipy import special

from compose import log_softmax, relu, sigmoid, softmax, tanh
from tests.cases.case import Case

CASES = [
    Case(relu, ((3, 5),), lambda p, s, x: np.maximum(x, 0)),
    Case(sigmoid, ((3, 5),), lambda p, s, x: special.expit(x)),
    Case(tanh, ((3, 5),), lambda p, s, x: np.tanh(x)),
    Case(softmax, ((3, 5),), lambda p, s, x: special.softmax(x, -1)),
    Case(softmax(axis=1), ((3, 5, 2),), lambda p, s, x: special.softmax(x, 1)),
    Case(log_softmax, ((3, 5),), lambda p, s, x: special.log_softmax(x, -1)),
]
