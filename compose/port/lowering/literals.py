"""Numbers read out of constants."""

from __future__ import annotations

from typing import Any

import numpy as np


def number(constant: Any) -> float | None:
    """The number that a constant is everywhere, or None.

    >>> number(np.full((2, 3), 4)), number(np.arange(3)), number("text")
    (4.0, None, None)
    """
    if isinstance(constant, (int, float)):
        return float(constant)
    if not isinstance(constant, np.ndarray) or constant.size == 0:
        return None
    own = unrepeated(constant)
    first = own.flat[0]
    return float(first) if own.size == 1 or bool((own == first).all()) else None


def unrepeated(array: np.ndarray) -> np.ndarray:
    """An array with length 1 along the axes on which it was broadcast.

    >>> unrepeated(np.broadcast_to(np.arange(3), (1000, 3))).shape
    (1, 3)
    """
    return array[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in array.strides)]


def single(constant: Any) -> Any:
    """The number in an array of one element; anything else unchanged.

    >>> single(np.full((1, 1), 3)), single(2.5)
    (3, 2.5)
    """
    return constant.item() if isinstance(constant, np.ndarray) and constant.size == 1 else constant
