"""Comparisons with their sides exchanged."""

from __future__ import annotations

MIRRORED = {
    "equal": "equal", "not_equal": "not_equal", "greater": "less", "less": "greater", "greater_equal": "less_equal",
    "less_equal": "greater_equal",
}  # fmt: skip
