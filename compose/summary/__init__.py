"""Inspect a network: the tables of `net.summary(...)` and `net.profile(...)`, its diagram, and what notebooks show."""

from compose.summary.diagram import Diagram, diagram
from compose.summary.html import html
from compose.summary.profile import Profile, profile
from compose.summary.table import Summary, one_example, summary

__all__ = ["Diagram", "Profile", "Summary", "diagram", "html", "one_example", "profile", "summary"]
