"""Parts of an exported graph that are graphs of their own, written out in it: those under `torch.no_grad()`."""

from __future__ import annotations

import copy
from typing import Any

import torch

from compose.core.errors import PortError
from compose.port.frontends.torch.capture import user_line
from compose.port.frontends.torch.graph import branches, is_choice

_PARTS = ("wrap_with_set_grad_enabled", "wrap_with_autocast")


def inlined(program: torch.export.ExportedProgram) -> None:
    """Write out the parts under another mode of gradients or precision, in place; what `no_grad` covers is detached.

    Raises `PortError` for a part under `torch.autocast`, which computes in fewer digits.
    """
    _inline(program.graph_module)


def _inline(module: torch.fx.GraphModule) -> None:
    for node in list(module.graph.nodes):
        for way in branches(node) if is_choice(node) else ():
            _inline(way.owning_module)  # pyright: ignore[reportArgumentType]
        name = getattr(node.target, "__name__", str(node.target))
        if node.op != "call_function" or name not in _PARTS:
            continue
        at = 1 if name == _PARTS[0] else 4
        part: Any = getattr(module, node.args[at].target)
        if name == _PARTS[1] and node.args[2]:
            raise PortError(f"a model in one precision, got torch.autocast at {user_line(node)}")
        _inline(part)
        _write_out(module.graph, node, part.graph, node.args[at + 1 :], detached=at == 1 and not node.args[0])


def _write_out(graph: torch.fx.Graph, node: torch.fx.Node, part: torch.fx.Graph, given: Any, detached: bool) -> None:
    placeholders = [n for n in part.nodes if n.op == "placeholder"]
    with graph.inserting_before(node):
        made: Any = graph.graph_copy(part, dict(zip(placeholders, given)))
        outputs = [
            _detached(graph, o) if detached else o for o in (made if isinstance(made, (tuple, list)) else (made,))
        ]
    for user in list(node.users):  # each takes one of the outputs
        taken: Any = user.args[1]
        user.replace_all_uses_with(outputs[taken])
        graph.erase_node(user)
    graph.erase_node(node)


def _detached(graph: torch.fx.Graph, output: Any) -> Any:
    value = output.meta.get("val") if isinstance(output, torch.fx.Node) else None
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return output
    made = graph.call_function(torch.ops.aten.detach.default, (output,))
    made.meta = copy.copy(output.meta)
    return made
