"""Where downloads and ported models are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder for what is kept between runs: `COMPOSE_CACHE`, or else the platform's cache folder."""
    configured = os.environ.get("COMPOSE_CACHE")
    if configured:
        return Path(configured).expanduser()
    if sys.platform == "darwin":
        base = Path("~/Library/Caches")
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "compose"
