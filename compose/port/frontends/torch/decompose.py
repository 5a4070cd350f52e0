"""One operation as others: torch's own decompositions, of a node alone."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import core_aten_decompositions, decomposition_table
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch._subclasses.functional_tensor import dispatch_functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from compose.core.errors import PortError
from compose.port.frontends.torch.capture import quiet
from compose.port.frontends.torch.composed import COMPOSED
from compose.port.frontends.torch.graph import in_place
from compose.port.frontends.torch.writes import reaches_others
from compose.port.lowering.batch import SECOND
from compose.port.lowering.values import BATCH

# What a rule refuses in these is refused for good: torch's decomposition leaves out what it is refused for.
_KEPT = (
    "dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "rrelu", "embedding", "embedding_bag",
    "detach", "bernoulli", "cond", "linspace", "logspace", "_batch_norm_with_update",
    "index_fill",
)  # fmt: skip

_WITH_STATISTICS = (
    "native_layer_norm", "native_batch_norm", "_native_batch_norm_legit",
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
        if name_of(target) in _WITH_STATISTICS:  # which torch does not differentiate
            made = (made[0], *(m.detach() if isinstance(m, torch.Tensor) else m for m in made[1:]))
        return tuple(made) if isinstance(made, tuple) else made  # the tracer keeps a named tuple as a call

    values = [n.meta["val"] for n in inputs]
    try:
        made = _traced(run, values)
        if not _writes_alone(made.graph):
            made = _traced(dispatch_functionalize(run), values)
            if not _writes_alone(made.graph):
                return None
    except PortError:
        raise
    except Exception:  # what torch cannot trace it cannot decompose
        return None
    held = (getattr(made, str(n.target), None) for n in made.graph.nodes if n.op == "get_attr")
    if any(n.target is target for n in made.graph.nodes) or any(isinstance(t, FakeTensor) for t in held):
        return None  # itself, or a tensor without numbers that the tracer lost sight of
    for inner in made.graph.nodes:
        for name in ("nn_module_stack", "stack_trace"):
            if name in node.meta:
                inner.meta[name] = copy.copy(node.meta[name])
    return made.graph


def _writes_alone(graph: torch.fx.Graph) -> bool:
    """Whether what is written in place are results of the graph that nothing else reads, as the walk takes them."""
    writes = [n for n in graph.nodes if n.op == "call_function" and _is_write(n.target)]
    known = all(in_place(str(n.target)) and n.args[0].op == "call_function" for n in writes)
    return not writes or (known and not reaches_others(graph))


def _is_write(target: Any) -> bool:
    schema = getattr(target, "_schema", None)
    return schema is not None and schema.is_mutable


def _with(tree: Any, given: dict[torch.fx.Node, Any]) -> Any:
    """Arguments of a node with values for its inputs, in lists that may be changed."""
    if isinstance(tree, (list, tuple)):
        made = [_with(part, given) for part in tree]
        return made if isinstance(tree, list) else tuple(made)
    if isinstance(tree, dict):
        return {name: _with(part, given) for name, part in tree.items()}
    return given[tree] if isinstance(tree, torch.fx.Node) else tree


def _traced(run: Callable, values: list[Any]) -> torch.fx.GraphModule:
    """The operations that a function calls, for a batch of any size."""
    fixed = [[_sized(v, batch) for v in values] for batch in (BATCH, SECOND)]  # before the symbols get values
    made = _of_symbols(run, values)
    return _of_two_sizes(run, fixed) if made is None else made


def _of_symbols(run: Callable, values: list[Any]) -> torch.fx.GraphModule | None:
    """As the exporter's symbols give them; None where the function asks for the size of the batch."""
    fakes = [v for v in values if isinstance(v, torch.Tensor)]
    mode = getattr(fakes[0], "fake_mode", None) if fakes else None
    symbols = getattr(mode, "shape_env", None)
    before = dict(symbols.replacements) if symbols is not None else {}
    with quiet(), torch.no_grad():
        try:
            made = make_fx(run)(*values)
        except Exception:  # it makes tensors of the size of the batch, which the mode of the symbols has to be on for
            with mode or contextlib.nullcontext():
                made = make_fx(run)(*values)
    if symbols is None or symbols.replacements == before:
        return made
    symbols.replacements.clear()
    symbols.replacements.update(before)
    symbols._update_version_counter()  # which its caches depend on
    return None


def _of_two_sizes(run: Callable, fixed: list[list[Any]]) -> torch.fx.GraphModule:
    """As two sizes of the batch give them, which must be alike.

    Raises `PortError` where a number is neither the same for both nor a multiple of the size.
    """
    first, second = (_of_size(run, values) for values in fixed)
    nodes, others = list(first.graph.nodes), list(second.graph.nodes)
    alike = [n.target for n in nodes] == [n.target for n in others]
    if not alike or not all(map(_follow, nodes, others)):
        raise PortError("an operation that is the same for a batch of any size")
    return first


def _of_size(run: Callable, values: list[Any]) -> torch.fx.GraphModule:
    with quiet(), torch.no_grad(), FakeTensorMode():
        given = [torch.empty(v[0], dtype=v[1]) if isinstance(v, tuple) else v for v in values]
        return make_fx(run)(*given)


def _sized(value: Any, batch: int) -> Any:
    """The shape and dtype of a tensor, or a size, for one size of the batch."""
    if isinstance(value, torch.Tensor):
        return [_sized(n, batch) for n in value.shape], value.dtype
    if isinstance(value, torch.SymInt):
        return int(value.node.expr.subs(dict.fromkeys(value.node.expr.free_symbols, batch)))
    return value


def _follow(a: torch.fx.Node, b: torch.fx.Node) -> bool:
    """Whether the numbers among the arguments of two nodes are equal, or in the proportion of the two sizes."""
    mine, yours = ([x for x in pytree.tree_leaves((n.args, n.kwargs))] for n in (a, b))
    known = [(x, y) for x, y in zip(mine, yours) if not isinstance(x, torch.fx.Node)]
    return len(mine) == len(yours) and all(
        x == y or (type(x) is type(y) is int and x * SECOND == y * BATCH) for x, y in known
    )


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
    """The function for an operation: ours, of the core set's table, of its composite kernel, of the full table."""
    if target in COMPOSED:
        return COMPOSED[target]
    core = core_aten_decompositions()
    if target in core:
        return core[target]
    if torch._C._dispatch_has_kernel_for_dispatch_key(target.name(), "CompositeImplicitAutograd"):
        return target
    return decomposition_table.get(target)
