"""Layers around another whose kernel they change: weight and spectral normalisation, LoRA."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.port.frontends.torch.registry import rule


@rule("aten._weight_norm")
def _weight_norm(low, node, weight, gain, axis=0):
    """The kernel with its gain; `emit` wraps the layer that takes it."""
    if axis != 0:
        raise PortError(f"weight_norm over what reaches one output (dim=0), got dim={axis}")
    low.record_gain(weight, gain)
    return weight
