"""From PyTorch: `torch.export`, not decomposed, and the live module tree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.port.frontends.torch.registry import registry
from compose.port.ir.graph import SourceGraph
from compose.port.ported import Ported


def from_torch(model: Any, *inputs: Any, channels_first: bool = False, partial: bool = False) -> Ported:
    """Port a `torch.nn.Module` to one expression with its weights.

    Args:
        model: the module; it is run in inference mode and left as it was.
        inputs: example tensors, batch first; the batch may have any size afterwards.
        channels_first: keep the source's axes of inputs and outputs, at the price of a transposition; by
            default images are `(batch, height, width, channels)` here.
        partial: where operations are missing, list them all in one error with the lines they come from.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`.

    Raises `PortError` for a model that cannot be exported, an operation without a rule, or a `torch` that is
    not installed.
    """
    from compose.port.frontends.torch.reference import TorchModel

    graph, examples, exact = read(model, *inputs, channels_first=channels_first, partial=partial)
    return Ported.of(graph, TorchModel(model, examples, graph, exact), "torch")


def read(
    model: Any, *inputs: Any, channels_first: bool = False, partial: bool = False
) -> tuple[SourceGraph, tuple, dict]:
    """The model as the graph that `Ported` is made from, the example inputs with batch size > 1, and what the
    model rounded to float32, exactly."""
    try:
        import torch
    except ImportError:
        raise PortError("PyTorch, to read its models: pip install 'compose-jax[torch]'") from None
    from compose.port.frontends.torch.capture import export
    from compose.port.frontends.torch.lower import TorchLowering
    from compose.port.frontends.torch.state_dict import saved

    registry.load()
    if not isinstance(model, torch.nn.Module):
        raise PortError(f"a torch.nn.Module, got {type(model).__name__}")
    exported = export(model, inputs)
    low = TorchLowering(exported.program, exported.calls, channels_first)
    graph = low.run(type(model).__name__)
    low.refuse(partial)
    return replace(graph, saved=saved(model, graph.arrays, low)), exported.inputs, low.exact
