"""Which function writes which word as PyTorch."""

from __future__ import annotations

from compose.export import registry
from compose.export.registry import Words

TABLE = Words()
writes, rule_of = TABLE.writes, TABLE.rule_of
LAYOUTS: set = set()  # the rules that take values with channels first as they are


def follows(rule):
    """Mark a rule that takes values in either layout; others get them as the network has them."""
    LAYOUTS.add(rule)
    return rule


def load() -> None:
    """Import every file of rules."""
    registry.load("compose.export.torch.words")
