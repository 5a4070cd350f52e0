"""Layers around another whose kernel they change: weight and spectral normalisation, LoRA."""

from __future__ import annotations

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.plain import emitted
from compose.port.frontends.torch.registry import rule
from compose.port.lowering.values import Value, Weight


@rule("aten._weight_norm")
def _weight_norm(low, node, weight, gain, axis=0):
    """The kernel with its gain; `emit` wraps the layer that takes it. By other axes it is a kernel that is computed."""
    transposed = any("conv_transpose" in str(user.target) for user in node.users)  # its kernel is reversed
    if axis == 0 and isinstance(weight, Weight) and not transposed:
        low.record_gain(weight, gain)
        return weight
    if not isinstance(weight, Value):
        raise PortError(f"a kernel that is a value, for weight_norm with dim={axis}")
    kept = None if axis == -1 else axis  # -1: the norm of the whole
    axes = tuple(a for a in range(weight.ndim) if a != kept)
    total = tuple(1 if a in axes else n for a, n in enumerate(weight.shape))
    square = emitted(low, word("ops.square"), weight)
    root = emitted(low, word("ops.sqrt"), emitted(low, word("ops.sum")(axis=axes, keepdims=True), square, shape=total))
    return emitted(low, word("multiply"), weight, emitted(low, word("divide"), gain, root, shape=total))
