"""From PyTorch: `torch.export`, not decomposed, and the live module tree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from compose.core.errors import LayerError, PortError
from compose.port.frontends.torch.registry import registry
from compose.port.ir.graph import SourceGraph
from compose.port.ported import Ported
from compose.port.structure.sharing import with_values


def from_torch(
    model: Any, *inputs: Any, channels_first: bool = False, fixed_batch: bool = False, partial: bool = False,
    **named: Any,
) -> Ported:  # fmt: skip
    """Port a `torch.nn.Module` to one expression with its weights.

    Args:
        model: the module; it is run in inference mode and left as it was.
        inputs: example arguments: tensors, batch first, also in tuples and dicts, each of which becomes an input of
            the network; whatever else, as None or a number, stays as it is. The batch may have any size afterwards
            where the model allows it; a network for certain sizes alone starts with `ensure_shape`.
        channels_first: keep the source's axes of inputs and outputs, at the price of a transposition; by
            default images are `(batch, height, width, channels)` here.
        fixed_batch: read the first axes as they are in the example, for a model that computes with them as with
            others, so that they are no batch. The network takes other sizes where it is seen to be the same.
        partial: where operations are missing, list them all in one error with the lines they come from.
        named: arguments by name.

    A model in bfloat16 or float16 is read in float32. One whose `config.use_cache` is set, as Hugging Face's decoders
    have it, is read without: `generate` keeps keys and values itself. Their mixtures of experts are read in the
    implementation `"batched_mm"`.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`.

    Raises `PortError` for a model that cannot be exported, an operation without a rule, or a `torch` that is
    not installed.
    """
    from compose.port.frontends.torch.reference import TorchModel

    options = {"channels_first": channels_first, "fixed_batch": fixed_batch, "partial": partial}

    def port(apart: frozenset[str]) -> Ported:
        try:
            made = read(model, *inputs, **options, apart=apart, **named)
            return Ported.of(made.graph, TorchModel(made.model, made.call, made.graph, made.exact), "torch")
        except LayerError as e:
            raise PortError(f"a model whose operations its layers can compute, got {e}") from e

    return with_values(port)


class Read(NamedTuple):
    """A model as the graph that `Ported` is made from, with what the proof needs.

    Attributes:
        model: the model, in float32 or more.
        graph: what it computes.
        call: its arguments, with a batch of more than one.
        exact: what the model rounded to float32, exactly.
    """

    model: Any
    graph: SourceGraph
    call: Any
    exact: dict


def read(
    model: Any, *inputs: Any, channels_first: bool = False, fixed_batch: bool = False, partial: bool = False,
    apart: frozenset[str] = frozenset(), **named: Any,
) -> Read:  # fmt: skip
    """See `from_torch`."""
    try:
        import torch
    except ImportError:
        raise PortError("PyTorch, to read its models: pip install 'compose-jax[torch]'") from None
    from compose.port.frontends.torch.calls import Call
    from compose.port.frontends.torch.capture import Exported, export
    from compose.port.frontends.torch.fixed_sizes import fixed_axes, specs
    from compose.port.frontends.torch.lower import TorchLowering
    from compose.port.frontends.torch.own_gradients import own_gradients
    from compose.port.frontends.torch.precision import widened
    from compose.port.frontends.torch.settings import with_settings
    from compose.port.frontends.torch.state_dict import saved
    from compose.port.lowering.fixed_sizes import pinned
    from compose.port.structure.recognize.rows import without_rows

    registry.load()
    if not isinstance(model, torch.nn.Module):
        raise PortError(f"a torch.nn.Module, got {type(model).__name__}")
    model, call = widened(model, Call.of(inputs, named))
    model, notes = with_settings(model)

    def lowered(exported: Exported) -> tuple[TorchLowering, SourceGraph]:
        low = TorchLowering(exported.program, exported.calls, channels_first, fixed_batch, apart)
        graph = low.run(type(model).__name__)
        low.refuse(partial)
        return low, graph

    def on_whole_arrays(graph: SourceGraph, call: Call) -> SourceGraph:
        return without_rows(graph, dict(zip(graph.inputs, specs(graph, call))))

    exported = export(model, call, fixed=fixed_batch)
    low, written = lowered(exported)
    graph = on_whole_arrays(written, exported.call)
    again = lambda call: on_whole_arrays(lowered(export(model, call, exported))[1], call)
    changed = graph is not written or any(op.bodies for op in graph.ops)  # what a branch reads, no other length shows
    graph = replace(
        graph, saved=saved(model, graph.arrays, low), notes=(*graph.notes, *notes, *own_gradients(model, call))
    )
    axes = fixed_axes(model, exported.call, graph, exported.free, low.sized, changed, again)
    return Read(model, pinned(graph, axes, [x.shape for x in exported.call.tensors]), exported.call, low.exact)
