"""Sizes that depend on the batch: symbols of `jax.export`, linear in the batch size."""

from __future__ import annotations

from typing import Any

from compose.export.errors import ExportError

BATCH = "batch"
_TRIALS = (1009, 2003, 3001)


def is_symbolic(size: Any) -> bool:
    return not isinstance(size, int) and hasattr(size, "_evaluate")


def at(size: Any, batch: int) -> int:
    """A size for a given batch size."""
    return int(size._evaluate({BATCH: batch})) if is_symbolic(size) else int(size)


def linear(size: Any) -> tuple[int, int]:
    """`a` and `b` of a size `a · batch + b`. Raises `ExportError` for any other."""
    first, second, third = (at(size, n) for n in _TRIALS)
    a = (second - first) // (_TRIALS[1] - _TRIALS[0])
    b = first - a * _TRIALS[0]
    if second != a * _TRIALS[1] + b or third != a * _TRIALS[2] + b:
        raise ExportError("sizes linear in the batch size", f"{size}", "export with a fixed batch size: batch=32")
    return a, b


def static(shape: Any) -> bool:
    """Whether no size depends on the batch."""
    return not any(map(is_symbolic, shape))
