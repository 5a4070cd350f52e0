"""KServe's package, or an error that says how to get it."""

from __future__ import annotations

import importlib
from typing import Any

from compose.core.errors import ConfigError


def kserve(module: str = "") -> Any:
    """The package `kserve`, or a module of it. Raises `ConfigError` if it is not installed."""
    try:
        return importlib.import_module(f"kserve.{module}" if module else "kserve")
    except ImportError as e:
        raise ConfigError("the package kserve", f"{e}; pip install 'compose-jax[kserve]'") from None
