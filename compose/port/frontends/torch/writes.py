"""Writes in place that reach other tensors, through views and slices, as operations that make new ones."""

from __future__ import annotations

from typing import Any

import torch

from compose.core.errors import PortError
from compose.port.frontends.torch.capture import quiet
from compose.port.frontends.torch.graph import in_place
from compose.port.frontends.torch.inlining import inlined

_VIEWS = (
    "view", "reshape", "flatten", "unflatten", "select", "slice", "narrow", "transpose", "permute", "t", "mT",
    "numpy_T", "swapaxes", "swapdims", "movedim", "moveaxis", "expand", "expand_as", "broadcast_to", "unsqueeze",
    "squeeze", "detach", "alias", "contiguous", "chunk", "split", "split_with_sizes", "unbind", "diagonal", "view_as",
    "reshape_as", "unfold", "as_strided", "to", "type_as", "getitem", "data", "lift_fresh_copy", "dropout",
    "feature_dropout", "alpha_dropout",
)  # fmt: skip


def out_of_place(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program without writes, if one of them reaches another tensor that is read later; else as it is.

    Raises `PortError` for a write to a parameter or a buffer.
    """
    graphs = (m.graph for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule))
    if not any(map(reaches_others, graphs)):
        return program
    with quiet():
        made = program.run_decompositions({})
    inlined(made)
    signature = made.graph_signature
    if signature.buffers_to_mutate:
        names = ", ".join(map(repr, signature.buffers_to_mutate.values()))
        raise PortError(f"a model that leaves its arrays alone in inference, got one that writes to {names}")
    output = next(node for node in made.graph.nodes if node.op == "output")
    kept = set(signature.user_outputs)
    output.args = (tuple(o for o in output.args[0] if not isinstance(o, torch.fx.Node) or o.name in kept),)
    return made


def reaches_others(graph: torch.fx.Graph) -> bool:
    """Whether a tensor that shares memory with one that is written is read after the write."""
    order = {node: i for i, node in enumerate(graph.nodes)}
    base: dict[torch.fx.Node, torch.fx.Node] = {}
    for node in graph.nodes:
        given = node.args[0] if node.args else None
        shares = node.op == "call_function" and (_name(node) in _VIEWS or in_place(str(node.target)))
        if shares and isinstance(given, torch.fx.Node):
            base[node] = base.get(given, given)
    for node in graph.nodes:
        if node.op != "call_function" or not in_place(str(node.target)):
            continue
        written: Any = node.args[0]
        root = base.get(written, written)
        others = [n for n in order if base.get(n, n) is root and n is not written and order[n] < order[node]]
        if any(order[user] > order[node] for other in others for user in other.users):
            return True
        if written.op == "call_function" and _name(written) == "expand":
            return True
    return False


def _name(node: Any) -> str:
    name = str(node.target)
    return name.split(".")[1] if name.startswith("aten.") else getattr(node.target, "__name__", name)
