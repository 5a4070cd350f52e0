"""Cases of the derivatives of the gamma function's logarithm, against SciPy."""

import numpy as np
from scipy import special

from compose import digamma, polygamma, scale
from tests.cases.case import Case

CASES = [
    Case(scale(by=5.0) >> digamma, ((3, 4),), lambda p, s, x: special.digamma(5 * x)),
    Case(scale(by=5.0) >> polygamma, ((3, 4),), lambda p, s, x: _polygamma(1, 5 * x)),
    Case(scale(by=5.0) >> polygamma(n=2), ((3, 4),), lambda p, s, x: _polygamma(2, 5 * x)),
]


def _polygamma(n, x):
    """SciPy's, which is NaN at negative numbers, by the reflection of the recurrence."""
    terms = np.sum((x[..., None] + np.arange(64)) ** -(n + 1.0), -1)
    return special.polygamma(n, x + 64) - (-1.0) ** n * special.factorial(n) * terms
