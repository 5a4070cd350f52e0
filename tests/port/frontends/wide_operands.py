"""A value of one step beside an array of four: the tests of each front end run these in its framework.

What an operation repeats along the steps is summed over them, so that a port which keeps one step is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

X = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(6, 6)).astype(np.float32)
WIDE = np.random.default_rng(2).uniform(0.4, 1, (4, 6)).astype(np.float32)


def operations(a: Any, wide: Any, total: Callable, maximum: Callable, minimum: Callable, where: Callable) -> Any:
    """The totals over the steps of what the operators make of a value and a positive array, each with its factor."""
    made = [
        a + wide, wide + a, a - wide, wide - a, a * wide, wide * a, a / wide, wide / (a * a + 1), maximum(a, wide),
        minimum(wide, a), (a * a + 0.1) ** wide, where(a > wide, a, 0.3 * a), where(a > 0, a, wide),
    ]  # fmt: skip
    return sum((i + 1) / 10 * total(part) for i, part in enumerate(made))
