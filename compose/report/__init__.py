"""A page about a network: what it is, how its training went, and what it does on examples."""

from compose.report.page import report

__all__ = ["report"]
