"""What a PyTorch model's `state_dict` holds, told apart into weights and the rest."""

from __future__ import annotations

from typing import Any

import torch

from compose.port.frontends.torch.lower import TorchLowering
from compose.port.ir.graph import Saved


def saved(model: torch.nn.Module, arrays: dict[str, Any], low: TorchLowering) -> Saved:
    """Every tensor of the model's `state_dict`; tied ones are found by their memory."""
    tensors = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
    of_memory = {tensors[name].data_ptr(): name for name in arrays if name in tensors and tensors[name].numel()}
    names: dict[str, str] = {}
    rest: dict[str, Any] = {}
    for name, tensor in model.state_dict().items():
        known = name if name in arrays else of_memory.get(tensor.data_ptr())
        names[name] = known or name
        if known is None:
            rest[name] = tensor.detach().cpu().numpy().copy()
    return Saved("torch", names, rest, frozenset(rest) & low.fixed())
