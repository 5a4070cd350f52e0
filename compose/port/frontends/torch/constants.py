"""Constants of an exported graph: folded, in float64, without copies for each example."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.fx.node import map_aggregate
from torch.utils import _pytree as pytree

from compose.port.frontends.torch.float64 import exact
from compose.port.lowering.batch import refuse_size
from compose.port.lowering.values import BATCH, Weight


def folded(node: torch.fx.Node, env: dict[Any, Any]) -> Any:
    """The result of a node that depends on no data."""

    def tensor(argument: Any) -> Any:
        argument = env[argument] if isinstance(argument, torch.fx.Node) else argument
        argument = wide(argument.array) if isinstance(argument, Weight) else argument
        return torch.from_numpy(argument) if isinstance(argument, np.ndarray) else argument

    target: Any = node.target
    args, kwargs = (map_aggregate(tree, tensor) for tree in (node.args, node.kwargs))
    _refuse_counts(node, args)
    with exact():
        result = target(*args, **kwargs)  # pyright: ignore[reportGeneralTypeIssues, reportCallIssue]
    return pytree.tree_map(lambda t: t.numpy() if isinstance(t, torch.Tensor) else t, result)


_COUNTS = frozenset(
    (
        "sum", "prod", "nansum", "count_nonzero", "norm", "linalg_vector_norm", "logsumexp", "std", "var", "dot",
        "mm", "mv", "bmm", "matmul", "addmm", "einsum", "cumsum", "cumprod", "logcumsumexp", "numel", "tensordot",
        "vdot",
    )
)  # fmt: skip


def _refuse_counts(node: torch.fx.Node, args: Any) -> None:
    """Raise `PortError` for a sum of constants over the examples, which is another number for another batch."""
    if str(node.target).split(".")[1] not in _COUNTS:
        return
    given = [a for a in pytree.tree_leaves(args) if isinstance(a, torch.Tensor)]
    made = node.meta.get("val")
    free = lambda shape: sum(isinstance(n, torch.SymInt) for n in shape)
    of_batch = lambda n: n != 0 and n % BATCH == 0
    before = sum(of_batch(n) for a in given for n in a.shape)
    cumulative = "cum" in str(node.target) and of_batch(args[0].shape[args[1]])
    if before and (not isinstance(made, torch.Tensor) or before > free(made.shape) or cumulative):
        raise refuse_size("a number")


def wide(array: np.ndarray) -> np.ndarray:
    """The array in float64 if it is float32, as the proof computes."""
    return array.astype(np.float64) if array.dtype == np.float32 else array


def without_batch(x: Any) -> Any:
    """A constant as rules get it: the array of a buffer, with batch size 1 if all examples are equal."""
    if isinstance(x, Weight) and not x.trained and not np.issubdtype(x.array.dtype, np.floating):
        x = x.array
    if isinstance(x, np.ndarray):
        for axis in (a for a, n in enumerate(x.shape) if n and n % BATCH == 0):
            first = x.take([0], axis)
            x = first if x.strides[axis] == 0 or (x == first).all() else x
    return x
