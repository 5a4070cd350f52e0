"""Numbers as they were meant: what float32 cut off is put back, so that float64 can prove to its own precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

SELU = (1.6732632423543772, 1.0507009873554805)  # its two constants


def meant(value: float) -> float:
    """The simplest number that float32 stores as `value`: a decimal, a fraction, or a root of one.

    ONNX keeps attributes in float32. Any number that float32 rounds to the same is as good a reading of the file.

    >>> meant(float(np.float32(1 / 6))) == 1 / 6, meant(float(np.float32(1e-5))), meant(float(np.float32(0.5**0.5)))
    (True, 1e-05, 0.7071067811865476)
    """
    with np.errstate(over="ignore"):
        stored = np.float32(value)
    if not math.isfinite(value) or float(stored) != value:
        return value
    return next((c for c in _candidates(value) if np.float32(c) == stored), float(str(stored)))


def _candidates(value: float) -> Iterator[float]:
    yield from SELU
    yield float(f"{value:.6g}")
    yield float(Fraction(value).limit_denominator(512))
    sign, size = math.copysign(1.0, value), abs(value)
    if 1e-6 < size < 1e6:
        yield sign * math.sqrt(float(Fraction(size**2 * math.pi).limit_denominator(64)) / math.pi)
        for power in (2, 4):
            yield sign * float(Fraction(size**power).limit_denominator(4096)) ** (1 / power)
