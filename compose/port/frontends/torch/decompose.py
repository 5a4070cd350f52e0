"""One operation as others: torch's own decompositions, of a node alone."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import core_aten_decompositions, decomposition_table
from torch.fx.experimental.proxy_tensor import make_fx

from compose.core.errors import PortError
from compose.port.frontends.torch.capture import quiet
from compose.port.frontends.torch.graph import in_place

# What a rule refuses in these is refused for good: torch's decomposition leaves out what it is refused for.
_KEPT = (
    "dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "rrelu", "embedding", "embedding_bag",
    "detach", "bernoulli", "cond", "linspace", "logspace",
)  # fmt: skip


def decomposed(node: torch.fx.Node) -> torch.fx.Graph | None:
    """The graph that computes a node by simpler operations, its placeholders the node's inputs in order.

    None for an operation that torch decomposes no further. Raises `PortError` for one whose decomposition depends on
    the size of the batch.
    """
    target = _functional(node.target)
    if not isinstance(target, torch._ops.OpOverload) or name_of(target) in _KEPT:
        return None
    fn = _decomposition(target)
    if fn is None:
        return None
    inputs = node.all_input_nodes

    def run(*values: Any) -> Any:
        given = dict(zip(inputs, values))
        args, kwargs = (_with(tree, given) for tree in (node.args, dict(node.kwargs)))
        made = fn(*args, **kwargs)
        return tuple(made) if isinstance(made, tuple) else made  # the tracer keeps a named tuple as a call

    values = [n.meta["val"] for n in inputs]
    try:
        made = _traced(run, values)
        if any(n.op == "call_function" and in_place(str(n.target)) for n in made.graph.nodes):
            made = _traced(torch.func.functionalize(run), values)
    except PortError:
        raise
    except Exception:  # what torch cannot trace it cannot decompose
        return None
    if any(n.target is target for n in made.graph.nodes):
        return None
    for inner in made.graph.nodes:
        for name in ("nn_module_stack", "stack_trace"):
            if name in node.meta:
                inner.meta[name] = copy.copy(node.meta[name])
    return made.graph


def _with(tree: Any, given: dict[torch.fx.Node, Any]) -> Any:
    """Arguments of a node with values for its inputs, in lists that may be changed."""
    if isinstance(tree, (list, tuple)):
        made = [_with(part, given) for part in tree]
        return made if isinstance(tree, list) else tuple(made)
    if isinstance(tree, dict):
        return {name: _with(part, given) for name, part in tree.items()}
    return given[tree] if isinstance(tree, torch.fx.Node) else tree


def _traced(run: Callable, values: list[Any]) -> torch.fx.GraphModule:
    fakes = [v for v in values if isinstance(v, torch.Tensor)]
    sizes = getattr(getattr(fakes[0], "fake_mode", None), "shape_env", None) if fakes else None
    before = dict(sizes.replacements) if sizes is not None else {}
    with quiet(), torch.no_grad():
        made = make_fx(run)(*values)
    if sizes is not None and sizes.replacements != before:
        raise PortError("an operation that is the same for a batch of any size")
    return made


def name_of(target: Any) -> str:
    """`softmax` of `aten.softmax.int`."""
    return str(target).split(".")[1]


def _functional(target: Any) -> Any:
    """The operation that makes a new tensor, of one that writes in place."""
    if not isinstance(target, torch._ops.OpOverload) or not in_place(str(target)):
        return target
    packet = getattr(torch.ops.aten, name_of(target).removesuffix("_"), None)
    return getattr(packet, target._overloadname, target) if packet is not None else target


@functools.cache
def _decomposition(target: Any) -> Callable | None:
    """Torch's function for an operation: of the core set's table, of its own composite kernel, of the full table."""
    core = core_aten_decompositions()
    if target in core:
        return core[target]
    if torch._C._dispatch_has_kernel_for_dispatch_key(target.name(), "CompositeImplicitAutograd"):
        return target
    return decomposition_table.get(target)
