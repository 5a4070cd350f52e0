"""The parts of weights that no layer reads, as where a call leaves out a weight, or reads some rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compose.port.ir.graph import Op
from compose.port.ir.weights import View
from compose.port.lowering import unread


def unread_parts(arrays: Mapping[str, Any], ops: Sequence[Op]) -> tuple[View, ...]:
    """The weights that are read nowhere, and the runs of rows or columns between those that are."""
    read = unread.views_of(ops)
    return (*(View(name) for name in arrays if name not in read), *unread.unread_parts(arrays, ops))
