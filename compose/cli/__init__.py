"""The command line: `compose demo`, `compose summary FILE`, `compose predict FILE INPUT`."""

from compose.cli.app import main

__all__ = ["main"]
