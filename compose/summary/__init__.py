"""Inspect a network: the tables of `net.summary(...)` and `net.profile(...)`, and the tree shown in notebooks."""

from compose.summary.html import html
from compose.summary.profile import Profile, profile
from compose.summary.table import Summary, summary

__all__ = ["Profile", "Summary", "html", "profile", "summary"]
