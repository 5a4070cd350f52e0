"""Which function writes which word, and which writes which primitive of JAX.

The rule of a word may return `NotImplemented` for options that its nodes do not have: the layer is then written as the
operations that it runs.
"""

from __future__ import annotations

from collections.abc import Callable

from compose.export import registry
from compose.export.registry import Rule, Words

TABLE = Words()
WORDS, writes, rule_of = TABLE.rules, TABLE.writes, TABLE.rule_of
PRIMITIVES: dict[str, Rule] = {}


def primitive(*names: str) -> Callable[[Rule], Rule]:
    """Register `rule(writer, equation, *inputs) -> output` for primitives of JAX, several outputs as a list."""

    def add(rule: Rule) -> Rule:
        for name in names:
            PRIMITIVES[name] = rule
        return rule

    return add


def load() -> None:
    """Import every file of rules."""
    registry.load("compose.export.onnx.words", "compose.export.onnx.primitives")
