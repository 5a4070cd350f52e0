"""Settings of Hugging Face's models that a port needs: no caches among the outputs, and experts without loops."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch

from compose.port.frontends.torch.untouched import kept_tensors

CACHES = (
    "config.use_cache was set to False: the keys and values of earlier tokens are no outputs here; compose.generate "
    "keeps its own"
)
EXPERTS = (
    'the implementation of the experts was set to "batched_mm": the same numbers, with the weights of the chosen '
    "experts gathered for each token"
)
_TRACEABLE = "batched_mm"  # the others sort tokens by expert, or loop over the experts that were chosen


def with_settings(model: torch.nn.Module) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The model with settings that can be ported, and a line for the report for each; as it is where none differs.

    The copy has the model's own parameters and buffers.
    """
    caches, experts = bool(list(_with_caches(model))), bool(list(_with_experts(model)))
    if not caches and not experts:
        return model, ()
    held = (*model.parameters(), *model.buffers(), *kept_tensors(model))
    made = copy.deepcopy(model, {id(x): x for x in held})
    for config in _with_caches(made):
        config.use_cache = False
    for config in _with_experts(made):
        config._experts_implementation = _TRACEABLE
    return made, (*[CACHES] * caches, *[EXPERTS] * experts)


def _with_caches(model: torch.nn.Module) -> Iterator[Any]:
    configs = (getattr(module, "config", None) for module in model.modules())
    return (config for config in configs if getattr(config, "use_cache", None) is True)


def _with_experts(model: torch.nn.Module) -> Iterator[Any]:
    """The configurations of modules that hold the weights of several experts."""
    configs = (getattr(module, "config", None) for module in model.modules() if hasattr(module, "_apply_gate"))
    return (c for c in configs if getattr(c, "_experts_implementation", _TRACEABLE) != _TRACEABLE)
