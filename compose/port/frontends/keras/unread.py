"""The parts of weights that no layer reads, as where a call leaves out a weight, or reads some rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from compose.port.ir.graph import Op
from compose.port.ir.weights import View


def unread_parts(arrays: Mapping[str, Any], ops: Iterable[Op]) -> tuple[View, ...]:
    """The weights that are read nowhere, and the runs of rows between those that are."""
    read: dict[str, list[View]] = {}
    for view in (view for op in ops for view in op.views()):
        read.setdefault(view.source, []).append(view)
    parts = [View(name) for name in arrays if name not in read]
    for name, views in read.items():
        if name in arrays and all(view.rows and not view.columns for view in views):
            left = np.ones(len(arrays[name]), bool)
            for view in views:
                left[slice(*view.rows)] = False  # pyright: ignore[reportOptionalIterable]
            ends = np.flatnonzero(np.diff(left, prepend=False, append=False))
            parts += [View(name, rows=(int(a), int(b))) for a, b in zip(ends[::2], ends[1::2])]
    return tuple(parts)
