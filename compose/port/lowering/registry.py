"""Registries of rules: how operations and layers of other frameworks are expressed in layers of `compose`.

Each front end has a `Registry` of its built-in rules. Users' rules are kept apart and always take precedence.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

Target = str | type


class Rule(NamedTuple):
    """A rule, and the function that computes the output shapes of a module that is kept whole."""

    fn: Callable[..., Any]
    outputs: Callable[..., Any] | None = None


_custom: dict[Target, Rule] = {}


def rule(target: Target, outputs: Callable | None = None) -> Callable[[Callable], Callable]:
    """Teach the port a new operation or layer.

    `@rule("aten.foo")` takes `f(low, node, *args, **kwargs)` and returns the result of `low.emit(...)`;
    `@rule(MyKerasLayer)` takes `f(walk, layer, *inputs)` and returns the result of `walk.emit(...)`. Torch modules of a
    class with a rule are not traced: the rule is `f(low, call, *inputs)`, and `call.module` is the module.
    `outputs(module, *inputs)` returns empty tensors with the shapes of its outputs; by default the one output has the
    shape of the first input. A class can be given by name, as `"torchvision.ops.stochastic_depth.StochasticDepth"`,
    which imports nothing.

    The rule takes precedence over a built-in one, and over an earlier one for the same target.
    """

    def add(fn: Callable) -> Callable:
        _custom[target] = Rule(fn, outputs)
        return fn

    return add


class Registry:
    """The built-in rules of one front end.

    Args:
        package: its modules register the rules; `load` imports them.
    """

    def __init__(self, package: str):
        self._package = package
        self._rules: dict[Target, Rule] = {}

    def rule(self, target: Target, outputs: Callable | None = None) -> Callable[[Callable], Callable]:
        """Register a built-in rule; see `rule`. Raises `ValueError` for a second one with the same target."""
        return self._adder((target,), outputs)

    def rules(self, *targets: Target) -> Callable[[Callable], Callable]:
        """Register one built-in rule for several targets."""
        return self._adder(targets, None)

    def _adder(self, targets: tuple[Target, ...], outputs: Callable | None) -> Callable[[Callable], Callable]:
        def add(fn: Callable) -> Callable:
            for target in targets:
                if target in self._rules:
                    raise ValueError(f"two built-in rules for {target}, in {self._rules[target].fn.__module__} too")
                self._rules[target] = Rule(fn, outputs)
            return fn

        return add

    def load(self) -> None:
        """Import every module of the package, which registers the rules in it."""
        for module in pkgutil.iter_modules(importlib.import_module(self._package).__path__):
            importlib.import_module(f"{self._package}.{module.name}")

    def named(self, name: str) -> Callable | None:
        """The rule for an operation, as `aten.conv2d.default`, by its full name or without the overload."""
        names = (name, name.rpartition(".")[0])
        return next((table[n].fn for table in (_custom, self._rules) for n in names if n in table), None)

    def of_class(self, cls: type) -> Callable | None:
        """The rule for a class or the nearest of its bases."""
        found = self.find(cls)
        return found.fn if found else None

    def find(self, cls: type) -> Rule | None:
        """That rule, with the function for its output shapes."""
        for base in cls.__mro__:
            for target in (base, f"{base.__module__}.{base.__qualname__}"):
                for table in (_custom, self._rules):
                    if target in table:
                        return table[target]
        return None
