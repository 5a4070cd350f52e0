"""Weights of a port as a PyTorch state dict."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.port.result import Result


def to_torch_state_dict(port: Result, params: Any, state: Any) -> dict[str, Any]:
    """See `Ported.to_torch_state_dict`."""
    saved = port.saved_by("torch")
    import torch

    arrays = saved.rest | port.to_source(params, state)
    tensors = {source: torch.from_numpy(np.array(arrays[source])) for source in saved.names.values()}
    return {name: tensors[source] for name, source in saved.names.items()}
