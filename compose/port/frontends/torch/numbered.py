"""Models that read the size of the batch as a number of Python, as by `len(x)`: exported for several such numbers.

Where the programs differ in sizes alone, which follow from the number, they are one program of any batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from compose.core.errors import PortError
from compose.port.frontends.torch.calls import Call
from compose.port.lowering.batch import SECOND, alike, follows
from compose.port.lowering.values import BATCH

# Operations that read sizes as shapes and places; whatever else reads one computes with it.
SHAPED = frozenset(
    (
        "view", "reshape", "_unsafe_view", "expand", "broadcast_to", "unflatten", "repeat", "repeat_interleave",
        "tile", "resize", "slice", "select", "narrow", "split", "split_with_sizes", "zeros", "ones", "full", "empty",
        "new_zeros", "new_ones", "new_full", "new_empty", "arange", "whole", "rand", "randn", "empty_permuted",
        "empty_strided", "new_empty_strided", "broadcast_in_dim", "affine_grid_generator",
    )
)  # fmt: skip

# Of which the exporter computes every step's shapes; the last argument says whether the batch comes first.
_RECURRENT = ("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")


def exported_by_number(model: torch.nn.Module, call: Call, batch: int | None) -> Any:
    """The program for the batch's stand-in. Raises `PortError` for a model that is another one for another number."""
    if batch is None:
        raise PortError("inputs with a batch")
    small = {n: _export(model, _of(call, batch, n)) for n in (batch, batch + 1)}
    if len({_steps(p) for p in small.values()}) > 1:  # before there are thousands
        raise PortError("operations that are the same for a batch of any size")
    program = _export(model, _of(call, batch, BATCH))
    for n in dict.fromkeys((SECOND, batch, batch // 2, 2)):  # few, too, for which a model may do something else
        try:
            other = small.get(n) or (_export(model, _of(call, batch, n)) if n > 1 else program)
        except Exception:
            if n in (SECOND, batch):
                raise
            continue  # a size that the model does not take
        if other is not program and not _is_one(program, other, n):
            raise PortError("a model that is the same for a batch of any size")
    return program


def _of(call: Call, batch: int, n: int) -> Call:
    """The call with a batch of so many, which takes no memory."""
    wide = lambda x: x[:1].expand(n, *x.shape[1:]) if x.ndim and len(x) == batch else x
    return call.of_tensors(map(wide, call.tensors))


def _export(model: torch.nn.Module, call: Call) -> Any:
    args, kwargs = call.arguments
    return torch.export.export(model, args, kwargs, strict=False)


def _steps(program: Any) -> tuple[int, ...]:
    """How many operations a program has, and how many steps its recurrent ones take."""
    nodes = [node for graph in _graphs(program) for node in graph.graph.nodes]
    recurrent = [node for node in nodes if str(node.target) in _RECURRENT]
    return len(nodes), *(node.args[0].meta["val"].shape[1 if node.args[-1] else 0] for node in recurrent)


def _graphs(program: Any) -> list[torch.fx.GraphModule]:
    return [m for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]


def _is_one(program: Any, other: Any, n: int) -> bool:
    """Whether a program is the same as another for a batch of `n`, but for that number."""
    graphs = [_graphs(p) for p in (program, other)]
    constants = [{k: v for k, v in p.constants.items() if isinstance(v, torch.Tensor)} for p in (program, other)]
    return (
        len(graphs[0]) == len(graphs[1])
        and all(_same_nodes(a, b, n) for a, b in zip(*graphs))
        and constants[0].keys() == constants[1].keys()
        and all(alike(_array(v), _array(constants[1][k])) is not None for k, v in constants[0].items())
    )


def _array(x: torch.Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()


def _same_nodes(a: torch.fx.GraphModule, b: torch.fx.GraphModule, n: int) -> bool:
    pairs = list(zip(a.graph.nodes, b.graph.nodes))
    return len(pairs) == len(a.graph.nodes) == len(b.graph.nodes) and all(_same(*pair, n) for pair in pairs)


def _same(a: torch.fx.Node, b: torch.fx.Node, n: int) -> bool:
    if (a.op, str(a.target)) != (b.op, str(b.target)):
        return False
    name = str(a.target).split(".")[1] if str(a.target).startswith("aten.") else ""
    ours, theirs = (pytree.tree_leaves((node.args, node.kwargs)) for node in (a, b))
    same = len(ours) == len(theirs) and all(_follow(p, q, name, n) for p, q in zip(ours, theirs))
    return same and _sizes_follow(a.meta.get("val"), b.meta.get("val"), n)


def _sizes_follow(a: Any, b: Any, n: int) -> bool:
    """Whether the sizes of two results are the same, or follow from the number."""
    shapes = [[tuple(x.shape) for x in pytree.tree_leaves(v) if isinstance(x, torch.Tensor)] for v in (a, b)]
    return [len(s) for s in shapes[0]] == [len(s) for s in shapes[1]] and all(
        follows(p, q, BATCH, n) for s, t in zip(*shapes) for p, q in zip(s, t)
    )


def _follow(p: Any, q: Any, name: str, n: int) -> bool:
    """Whether two arguments are the same, or sizes that follow from the number."""
    if isinstance(p, torch.fx.Node) or isinstance(q, torch.fx.Node):
        return str(p) == str(q)
    if type(p) is int and type(q) is int and p != q:
        return name in SHAPED and name != "arange" and follows(p, q, BATCH, n)
    return type(p) is type(q) and (p == q or p is q or isinstance(p, torch.dtype))
