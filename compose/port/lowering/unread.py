"""The rows of a table that nothing reads, where layers read some rows each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from compose.port.ir.weights import View


def unread_rows(name: str, count: int, read: Iterable[tuple[int, int]]) -> list[View]:
    """The runs of rows that are in none of these spans, of an array of `count` rows."""
    left = np.ones(count, bool)
    for start, stop in read:
        left[start:stop] = False
    ends = np.flatnonzero(np.diff(left, prepend=False, append=False))
    return [View(name, rows=(int(a), int(b))) for a, b in zip(ends[::2], ends[1::2])]
