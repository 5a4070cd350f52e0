"""The built-in rules of the PyTorch front end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from compose.port.lowering.registry import Registry

if TYPE_CHECKING:
    import torch

registry = Registry("compose.port.frontends.torch.rules")
rule, rules = registry.rule, registry.rules
named_rule, class_rule = registry.named, registry.of_class


def whole_outputs(cls: type) -> Callable | None:
    """The `outputs` of the rule for a class of modules; None if it has no rule."""
    found = registry.find(cls)
    return (found.outputs or _like_first) if found else None


def _like_first(module: Any, *args: torch.Tensor, **kwargs: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.empty_like([*args, *kwargs.values()][0])
