"""Counts what JAX compiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jax import monitoring

_COMPILED = "/jax/core/compile/backend_compile_duration"
_counts: list[list[float]] = []


def _listen(event: str, seconds: float, **_) -> None:
    if event == _COMPILED:
        for count in _counts:
            count.append(seconds)


monitoring.register_event_duration_secs_listener(_listen)


@contextmanager
def compilations() -> Iterator[list[float]]:
    """A list that gets the seconds of every compilation in the context, in any thread."""
    count: list[float] = []
    _counts.append(count)
    try:
        yield count
    finally:
        _counts.remove(count)
