"""Places that a model computes on before it reads there: they stay whole numbers in every front end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

X = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(6, 6)).astype(np.float32)
COLUMN = np.arange(4)[:, None]
ROW = np.array([1, 2, 3, 1, 2, 3])


def places(i: Any, array: Callable, maximum: Callable, minimum: Callable, clip: Callable, where: Callable) -> list:
    """Places of the four steps that are made of `i`, which is that too."""
    return [
        (i + 1) % 4, (i * 2) % 4, i // 2, 3 - i, (-i) % 4, (i - 2) % 4, (i + i) % 4, (i * i) % 4, maximum(i - 1, 0),
        minimum(i, 2), clip(i, 1, 2), where(i < 2, i + 2, 0), (i + array(COLUMN)) % 4, (i * array(ROW)) % 4,
        (i - array(ROW)) % 4,
    ]  # fmt: skip
