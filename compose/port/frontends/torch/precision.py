"""Models in half precision, read in float32: how many digits a network has is said when it runs."""

from __future__ import annotations

import copy

import torch

from compose.port.frontends.torch.calls import Call

_NARROW = (torch.float16, torch.bfloat16)


def widened(model: torch.nn.Module, call: Call) -> tuple[torch.nn.Module, Call]:
    """The model and its arguments in float32 if any are in fewer digits; else as they are."""
    held = (*model.parameters(), *model.buffers(), *call.tensors)
    if not any(x.dtype in _NARROW for x in held):
        return model, call
    tensors = (x.float() if x.dtype in _NARROW else x for x in call.tensors)
    return copy.deepcopy(model).float(), call.of_tensors(tensors)
