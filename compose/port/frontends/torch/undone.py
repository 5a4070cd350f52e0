"""What a model repeats for each example is left undone where an operation broadcasts it anyway, and done elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.each_example import spread_to
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.lowering.each_example import has_batch
from compose.port.lowering.values import Pending, Value, Weight

_REPEATS = ("expand", "broadcast_to", "expand_as", "repeat", "tile")
TURNS = ("permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "movedim", "moveaxis")
_OF_TABLES = ("embedding", "index")  # rows of a table, at places that are the same for each example
_OF_WEIGHTS = ("cat", "matmul", "mm", "bmm", "einsum", "lstm", "gru", "rnn_tanh", "rnn_relu")  # whose rules repeat one


def of_each(low: Any, node: torch.fx.Node, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments of a node, repeated for each example where the node does not broadcast them itself."""
    given = [*_pairs(args, node.args), *_pairs(kwargs, node.kwargs)]
    name = str(node.target).partition(".")[2].partition(".")[0]
    pending = any(isinstance(x, Pending) and not isinstance(x, Derived) for x, _ in given)
    if name in _REPEATS or pending or not isinstance(node.target, torch._ops.OpOverload):
        return args, kwargs
    if torch.Tag.pointwise in node.target.tags:
        todo = _of_elements(low, given)
    else:
        kinds = _repeated_kinds(name, [x for x, _ in given])
        todo = {id(x): _shape_of(source) for x, source in given if isinstance(x, kinds) and _is_undone(x, source)}
    if not todo:
        return args, kwargs
    makes = lambda x: spread_to(low, x, todo[id(x)]) if id(x) in todo else x
    return _mapped(makes, args), _mapped(makes, kwargs)


def _of_elements(low: Any, given: list[tuple[Any, Any]]) -> dict[int, tuple[int, ...]]:
    """What must be repeated for an operation of each element, and to which shape; by `id`.

    That is none where what they broadcast to has the batch. Beside constants alone, as `torch.ones(batch, 1)`, one is.
    """
    arrays = [(x, source) for x, source in given if isinstance(x, (Value, Weight, Derived, np.ndarray))]
    own = [() if isinstance(x, Derived) and has_batch(x.shape) else tuple(x.shape) for x, _ in arrays]
    if _broadcast(*own) in (low.shape, None):
        return {}
    known = [(x, source) for x, source in arrays if not isinstance(x, np.ndarray)]
    undone = {id(x): _shape_of(source) for x, source in known if _is_undone(x, source)}
    return undone or {id(x): low.shape for x, _ in known[:1]}


def _repeated_kinds(name: str, given: list[Any]) -> tuple[type, ...]:
    """Which of the arguments an operation needs with a row for each example."""
    if any(isinstance(x, Value) and has_batch(x.shape) for x in given):
        return (Value,) if name in _OF_WEIGHTS else (Value, Weight)
    if name in TURNS or (name in _OF_TABLES and any(isinstance(x, Weight) for x in given)):
        return (Value, Derived)
    return (Value, Weight, Derived, np.ndarray)


def _is_undone(x: Any, source: Any) -> bool:
    if isinstance(x, Derived):
        return has_batch(x.shape)
    own, shape = tuple(x.shape), _shape_of(source)
    return own != shape and _broadcast(own, shape) == shape


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """What shapes broadcast to; None for some that do not, as a decomposition may have the example's batch in some."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def _shape_of(source: torch.fx.Node) -> tuple[int, ...]:
    return sizes_of(source.meta["val"])


def _pairs(x: Any, source: Any) -> Iterator[tuple[Any, torch.fx.Node]]:
    """What the arguments of a node are, and the nodes that give them."""
    if isinstance(source, torch.fx.Node):
        yield x, source
    elif isinstance(source, (list, tuple)):
        for pair in zip(x, source):
            yield from _pairs(*pair)
    elif isinstance(source, dict):
        for name in source:
            yield from _pairs(x[name], source[name])


def _mapped(makes: Callable[[Any], Any], x: Any) -> Any:
    """`map_aggregate` for what is no part of a graph, in lists, tuples and dicts."""
    if isinstance(x, (list, tuple)):
        return type(x)(_mapped(makes, y) for y in x)
    return {k: _mapped(makes, y) for k, y in x.items()} if isinstance(x, dict) else makes(x)
