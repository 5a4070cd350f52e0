"""The parts of weights that no layer reads, as where a call leaves out a weight, or reads some rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from compose.port.ir.graph import Op
from compose.port.ir.weights import View
from compose.port.lowering.unread import unread_rows


def unread_parts(arrays: Mapping[str, Any], ops: Iterable[Op]) -> tuple[View, ...]:
    """The weights that are read nowhere, and the runs of rows between those that are."""
    read: dict[str, list[View]] = {}
    for view in (view for op in ops for view in op.views()):
        read.setdefault(view.source, []).append(view)
    parts = [View(name) for name in arrays if name not in read]
    for name, views in read.items():
        rows = [view.rows for view in views if view.rows and not view.columns]
        if name in arrays and len(rows) == len(views):
            parts += unread_rows(name, len(arrays[name]), rows)
    return tuple(parts)
