"""Looking at a network without running it: the table of `net.summary(...)` and the tree that notebooks show."""

from compose.summary.html import html
from compose.summary.table import Summary, summary

__all__ = ["Summary", "html", "summary"]
