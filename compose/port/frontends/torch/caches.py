"""Language models that give out their keys and values beside the logits: read without, as `generate` keeps its own."""

from __future__ import annotations

import copy

import torch

SAID = (
    "config.use_cache was set to False: the keys and values of earlier tokens are no outputs here; compose.generate "
    "keeps its own"
)


def without_caches(model: torch.nn.Module) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The model with `use_cache=False` in each `config`, and a line for the report; as it is where no cache is made.

    The copy has the model's own parameters and buffers.
    """
    if not _with_caches(model):
        return model, ()
    memo = {id(x): x for x in (*model.parameters(), *model.buffers())}
    held = (v for m in model.modules() for v in vars(m).values() if isinstance(v, torch.Tensor))
    made = copy.deepcopy(model, memo | {id(v): v for v in held})
    for config in _with_caches(made):
        config.use_cache = False
    return made, (SAID,)


def _with_caches(model: torch.nn.Module) -> list:
    configs = (getattr(module, "config", None) for module in model.modules())
    return [config for config in configs if getattr(config, "use_cache", None) is True]
