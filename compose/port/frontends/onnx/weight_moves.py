"""Rules that weights may go through: they move numbers, and the weight stays the one that the file stores."""

from __future__ import annotations

from collections.abc import Callable


def of_weights(rule: Callable) -> Callable:
    """Mark a rule that takes weights too; it returns None where the result is no longer the same array."""
    rule.of_weights = True  # pyright: ignore[reportFunctionMemberAccess]
    return rule
