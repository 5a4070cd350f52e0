"""Compiled programs kept in a folder, so that another process need not compile them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from compose.core.errors import ConfigError


@contextmanager
def disk_cache(folder: str | os.PathLike | None) -> Iterator[None]:
    """A context in which JAX reads compiled programs from `folder` and keeps new ones there; None changes nothing.

    Every program is kept, however small. Afterwards JAX's configuration is as it was.

    Raises `ConfigError` if `folder` cannot be a folder.
    """
    if folder is None:
        yield
        return
    settings: dict[str, Any] = {
        "jax_compilation_cache_dir": _made(folder),
        "jax_enable_compilation_cache": True,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    _configure(settings)
    try:
        yield
    finally:
        _configure(before)


def _configure(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    reset_cache()  # JAX reads the settings when it first uses the cache


def _made(folder: str | os.PathLike) -> str:
    try:
        path = Path(folder).expanduser()
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, TypeError) as e:
        raise ConfigError("cache to be a folder for compiled programs", f"{folder!r}: {e}") from None
    return str(path)
