"""Which function writes which word as PyTorch."""

from __future__ import annotations

from compose.export import registry
from compose.export.registry import Words
from compose.export.source.registry import SHARED

TABLE = Words(SHARED)
writes = TABLE.writes


def load() -> None:
    """Import every file of rules."""
    registry.load("compose.export.source.words", "compose.export.torch.words")
