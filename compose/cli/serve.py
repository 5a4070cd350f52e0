"""`compose serve MODEL...`: model files as an HTTP service."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def serve(
    models: list[str], host: str, port: int, cert: Path | None, key: Path | None, options: dict[str, Any]
) -> None:
    """Serve until SIGTERM or Ctrl-C; see the command for the options."""
    from compose.serve import Options, run
    from compose.serve.options import tokens_of_environment
    from compose.serve.sources import sources

    run(sources(models), Options(tokens=tokens_of_environment(), **options), host, port, cert, key)
