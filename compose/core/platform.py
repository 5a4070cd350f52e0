"""For which platform a program is traced, where its form depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import jax

_PLATFORMS: ContextVar[tuple[str, ...] | None] = ContextVar("platforms", default=None)


def on_cpu() -> bool:
    """Whether the program that is traced runs on CPUs alone: on JAX's default device, or as `tracing_for` says."""
    return (_PLATFORMS.get() or (jax.default_backend(),)) == ("cpu",)


@contextmanager
def tracing_for(platforms: Sequence[str]) -> Iterator[None]:
    """Trace for these platforms."""
    before = _PLATFORMS.set(tuple(platforms))
    try:
        yield
    finally:
        _PLATFORMS.reset(before)
