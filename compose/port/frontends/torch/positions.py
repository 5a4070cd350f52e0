"""Positions that are learned: rows of a table, one after the other, that are added to a sequence."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.ir.weights import View
from compose.port.lowering.values import Value, Weight, identity_axes


def added(low: Any, x: Value, known: Any) -> Value | None:
    """`learned_positions` where the first rows of a table are added to a sequence, whose length then is free.

    None for anything else. The rows behind them, which were recorded as unread, belong to the layer.
    """
    if (
        not isinstance(known, Weight)
        or not known.places
        or len(known.shape) not in (2, 3)
        or x.axes != identity_axes(3)
    ):
        return None
    view, (*_, time, size) = known.view, known.shape
    plain = view == View(view.source, view.rows, shape=view.shape)
    if not plain or (time, size) != x.shape[1:] or time * x.shape[2] != known.array.size:
        return None
    start = view.rows[0] if view.rows else 0
    behind = View(view.source, rows=(start + time, start + known.places))
    low.unread = [part for part in low.unread if part != behind]
    table = View(view.source, rows=(start, start + known.places) if start else None)
    return low.emit(
        word("learned_positions")(known.places), x, shape=x.shape, axes=x.axes, weights={"embedding": table}
    )
