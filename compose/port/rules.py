"""How operations of other frameworks are said here: a registry that anyone can add to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_named: dict[str, Callable] = {}
_classes: dict[type, Callable] = {}
_outputs: dict[type, Callable | None] = {}


def rule(target: str | type, outputs: Callable | None = None) -> Callable[[Callable], Callable]:
    """Teach the port a new operation.

    `@rule("aten.foo")` takes `f(low, node, *args, **kwargs)` and returns what `low.emit(...)` made;
    `@rule(MyKerasLayer)` takes `f(layer)` and returns a `compose` layer with its weights, or for a torch
    module, which is then kept whole, `f(low, call, *inputs)` with `call.module` the live one. `outputs(module,
    *inputs)` gives empty tensors shaped as such a module's outputs; without it they are as its first input.
    A later rule for the same target replaces an earlier one.
    """

    def add(fn: Callable) -> Callable:
        if isinstance(target, str):
            _named[target] = fn
        else:
            _classes[target] = fn
            _outputs[target] = outputs
        return fn

    return add


def rules(*targets: str) -> Callable[[Callable], Callable]:
    """One rule for several operations."""

    def add(fn: Callable) -> Callable:
        for target in targets:
            rule(target)(fn)
        return fn

    return add


def named_rule(name: str) -> Callable | None:
    """The rule for `aten.conv2d.default`, by its whole name or without the overload."""
    return _named.get(name) or _named.get(name.rpartition(".")[0])


def class_rule(cls: type) -> Callable | None:
    """The rule for a class or the nearest of its bases."""
    return next((_classes[c] for c in cls.__mro__ if c in _classes), None)


def known_classes(root: Any) -> dict[type, Callable | None]:
    """The classes with a rule below `root`, each with its `outputs`."""
    return {c: f for c, f in _outputs.items() if issubclass(c, root)}
