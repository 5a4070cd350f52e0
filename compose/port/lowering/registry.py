"""How operations of other frameworks are said here: a registry that anyone can add to."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

_named: dict[str, Callable] = {}
_classes: dict[type, Callable] = {}
_outputs: dict[str | type, Callable | None] = {}


def rule(target: str | type, outputs: Callable | None = None) -> Callable[[Callable], Callable]:
    """Teach the port a new operation.

    `@rule("aten.foo")` takes `f(low, node, *args, **kwargs)` and returns what `low.emit(...)` made;
    `@rule(MyKerasLayer)` takes `f(walk, layer, *inputs)` and returns what `walk.emit(...)` made; for a class of torch
    modules, which are then kept whole, it is `f(low, call, *inputs)` with `call.module` the live one. `outputs(module,
    *inputs)` gives empty tensors shaped as such a module's outputs; without it they are as its first input.
    A class may be named, as `"torchvision.ops.stochastic_depth.StochasticDepth"`, so that nothing is imported.
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


def load_rules(package: str) -> None:
    """Import every module of a package, which registers the rules in it."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")


def named_rule(name: str) -> Callable | None:
    """The rule for `aten.conv2d.default`, by its whole name or without the overload."""
    return _named.get(name) or _named.get(name.rpartition(".")[0])


def class_rule(cls: type) -> Callable | None:
    """The rule for a class or the nearest of its bases."""
    target = _target(cls)
    return _named.get(target) if isinstance(target, str) else _classes.get(target) if target else None


def whole_outputs(cls: type) -> Callable | None:
    """The `outputs` of the rule for a class; None where it has no rule."""
    target = _target(cls)
    return None if target is None else _outputs[target] or _like_first


def _target(cls: type) -> str | type | None:
    """What a rule was given for a class or the nearest of its bases: the class or its name."""
    for base in cls.__mro__:
        for target in (base, f"{base.__module__}.{base.__qualname__}"):
            if target in _outputs:
                return target
    return None


def _like_first(module: Any, *args: Any, **kwargs: Any) -> Any:
    import torch

    return torch.empty_like([*args, *kwargs.values()][0])
