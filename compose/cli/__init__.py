"""The command line: `compose train`, `compose predict` and the others that `compose --help` lists."""

from compose.cli.app import main

__all__ = ["main"]
