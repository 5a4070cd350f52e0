"""Which function writes which word, and which writes which primitive of JAX."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from compose.core.function import Function
from compose.core.layer import Layer

Rule = Callable[..., Any]
WORDS: dict[Any, Rule] = {}
PRIMITIVES: dict[str, Rule] = {}


def writes(*words: Any) -> Callable[[Rule], Rule]:
    """Register `rule(writer, layer, params, state, x) -> y` for layer classes or functions.

    The rule may return `NotImplemented` for options that its nodes do not have: the layer is then written as the
    operations that it runs.
    """

    def add(rule: Rule) -> Rule:
        for word in words:
            WORDS[word.fn if isinstance(word, Function) else word] = rule
        return rule

    return add


def primitive(*names: str) -> Callable[[Rule], Rule]:
    """Register `rule(writer, equation, *inputs) -> output` for primitives of JAX, several outputs as a list."""

    def add(rule: Rule) -> Rule:
        for name in names:
            PRIMITIVES[name] = rule
        return rule

    return add


def rule_of(layer: Layer) -> Rule | None:
    """The rule of a layer, or of a class that it comes from."""
    if isinstance(layer, Function):
        return WORDS.get(layer.fn)
    return next((WORDS[c] for c in type(layer).__mro__ if c in WORDS), None)


def load() -> None:
    """Import every file of rules."""
    for folder in ("words", "primitives"):
        package = importlib.import_module(f"compose.export.onnx.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
