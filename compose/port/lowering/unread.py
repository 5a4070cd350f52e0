"""The parts of an array that nothing reads, where layers read some rows or some columns each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from compose.port.ir.graph import Op
from compose.port.ir.weights import View


def unread_parts(arrays: Mapping[str, Any], ops: Iterable[Op]) -> list[View]:
    """The runs of rows, or of columns, between those that layers read of arrays of which each reads some."""
    parts = []
    for name, views in views_of(ops).items():
        rows = [view.rows for view in views if view.rows and not view.columns]
        columns = [view.columns for view in views if view.columns and not view.rows]
        if name in arrays and len(rows) == len(views):
            parts += [View(name, rows=run) for run in _left(len(arrays[name]), rows)]
        elif name in arrays and len(columns) == len(views):
            parts += [View(name, columns=run) for run in _left(arrays[name].shape[-1], columns)]
    return parts


def views_of(ops: Iterable[Op]) -> dict[str, list[View]]:
    """How the layers take each array that they read, by its name."""
    read: dict[str, list[View]] = {}
    for view in (view for op in ops for view in op.views()):
        read.setdefault(view.source, []).append(view)
    return read


def _left(count: int, read: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    left = np.ones(count, bool)
    for start, stop in read:
        left[start:stop] = False
    ends = np.flatnonzero(np.diff(left, prepend=False, append=False))
    return [(int(a), int(b)) for a, b in zip(ends[::2], ends[1::2])]
