"""The rules that the writers of all sources share, and those that take values with channels second as they are."""

from __future__ import annotations

from compose.export.registry import Rule, Words

SHARED = Words()
shares = SHARED.writes
LAYOUTS: set[Rule] = set()


def follows(rule: Rule) -> Rule:
    """Mark a rule that takes values in either layout; others get them as the network has them."""
    LAYOUTS.add(rule)
    return rule
