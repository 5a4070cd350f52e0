"""Flower, imported where it is needed."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError


def flower() -> tuple[Any, Any]:
    """The modules `flwr.app` and `flwr.clientapp`. Raises `ConfigError` if Flower is not there."""
    try:
        import flwr.app  # pyright: ignore[reportMissingImports]
        import flwr.clientapp  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ConfigError(
            "Flower for federated averaging", "none installed", 'pip install "compose-jax[federated]"'
        ) from None
    return flwr.app, flwr.clientapp
