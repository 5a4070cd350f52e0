"""Which function writes which word of the vocabulary: one table for each format."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from compose.core.function import Function
from compose.core.layer import Layer

Rule = Callable[..., Any]


class Words:
    """The rules of one format, by layer class or function, and those that it shares with others."""

    def __init__(self, shared: Words | None = None) -> None:
        self.rules: dict[Any, Rule] = {}
        self.shared = shared

    def writes(self, *words: Any) -> Callable[[Rule], Rule]:
        """Register `rule(writer, layer, params, state, x) -> y` for layer classes or functions."""

        def add(rule: Rule) -> Rule:
            for word in words:
                self.rules[word.fn if isinstance(word, Function) else word] = rule
            return rule

        return add

    def rule_of(self, layer: Layer) -> Rule | None:
        """The rule of a layer, or of a class that it comes from."""
        if isinstance(layer, Function):
            return self._of(layer.fn)
        return next((rule for c in type(layer).__mro__ if (rule := self._of(c))), None)

    def _of(self, word: Any) -> Rule | None:
        return self.rules.get(word) or (self.shared and self.shared._of(word))


def load(*packages: str) -> None:
    """Import every file of rules in these packages."""
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{name}.{module.name}")
