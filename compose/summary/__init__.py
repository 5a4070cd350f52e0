"""Inspect a network without running it: the table of `net.summary(...)` and the tree shown in notebooks."""

from compose.summary.html import html
from compose.summary.table import Summary, summary

__all__ = ["Summary", "html", "summary"]
