"""What nothing reads: layers that no output depends on, and parts of arrays, as the rest of a table read by rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compose.port.ir.graph import Op
from compose.port.ir.weights import View


def needed(ops: list[Op], wanted: set[int]) -> list[Op]:
    """The layers that the outputs depend on; an idiom leaves those that it replaces unread."""
    wanted, kept = set(wanted), []
    for op in reversed(ops):
        if op.output in wanted:
            kept.append(op)
            wanted.update(op.inputs)
    return kept[::-1]


def unread_parts(parts: Iterable[View], ops: Iterable[Op]) -> tuple[View, ...]:
    """Each part once, without the rows that another layer reads.

    Args:
        parts: those that one operation or another leaves.
        ops: the layers of the network.
    """
    parts = list(dict.fromkeys(parts))
    by_rows = [view for view in parts if view.rows and not view.columns]
    left: dict[str, set[int]] = {}
    for view in by_rows:
        left.setdefault(view.source, set()).update(_rows(view))
    for view in (view for op in ops for view in op.views()):
        if view.source in left:
            left[view.source] -= _rows(view)
    rest = (View(source, rows=span) for source, rows in left.items() for span in _spans(rows))
    return (*(view for view in parts if view not in by_rows), *rest)


def _rows(view: View) -> set[int]:
    return set(range(*view.rows)) if view.rows else set()


def _spans(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """The runs of numbers without a gap, as start and stop."""
    starts = sorted(n for n in numbers if n - 1 not in numbers)
    stops = sorted(n + 1 for n in numbers if n + 1 not in numbers)
    return zip(starts, stops)
