"""Choices by data: `torch.cond`, whose branches the exporter keeps as graphs of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.fx.node import map_aggregate

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.capture import sizes_of
from compose.port.frontends.torch.each_example import constant, spread
from compose.port.frontends.torch.graph import branches, is_choice
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.lowering.choose import chosen
from compose.port.lowering.values import Pending, Value, Weight

__all__ = ["choice", "is_choice"]


def choice(low: Any, node: torch.fx.Node) -> Any:
    """The results of a choice, as the tuple that the node is.

    Raises `PortError` if the condition does not depend on data.
    """
    both: Any = map_aggregate((node.args[0], node.args[3]), low.lookup)
    condition, given = both
    if not isinstance(condition, Value):
        raise PortError("a condition that is computed from the input, got one of sizes or of parameters alone")
    low.sized = True  # the branches may hold the lengths that torch has read
    given = [_value(low, x) for x in given]
    if condition.ndim:  # of one element
        condition = low.emit(word("ops.any"), condition, shape=(), axes=())
    axes: list[tuple[int, ...]] = []
    ways: Any = [lambda graph=graph: _results(low, graph, given, axes) for graph in branches(node)]
    try:
        return tuple(chosen(low, condition, tuple(ways)))
    finally:
        low.node = node


def _results(low: Any, graph: torch.fx.Graph, given: Sequence[Any], axes: list[tuple[int, ...]]) -> list[Value]:
    """What a branch returns, in the layout that the other one returned; whole numbers in one dtype."""
    outputs = low.through(graph, given)
    made = []
    for source in outputs if isinstance(outputs, (tuple, list)) else (outputs,):
        if not isinstance(source, torch.fx.Node):
            raise PortError("branches that return tensors")
        x = spread(low, _value(low, low.lookup(source)), source)
        x = low.whole(constant(low, x) if isinstance(x, (np.ndarray, Weight)) else x)
        if x.shape != sizes_of(source.meta["val"]):
            raise PortError(
                "branches that return what they compute of the input, got parameters alone expanded to its size"
            )
        dtype = source.meta["val"].dtype
        if not dtype.is_floating_point and not dtype.is_complex and dtype != torch.bool:
            x = low.emit(word("ops.astype")(dtype=word("int32")), x, shape=x.shape)
        made.append(x)
    twins = axes or [x.axes for x in made]
    axes[:] = twins
    return [low.moved(x, to).but(unflat=None) for x, to in zip(made, twins)]


def _value(low: Any, x: Any) -> Any:
    """What is computed of parameters alone is emitted before the branches, since both may read it."""
    if isinstance(x, Derived):
        return x.beside(low.inputs[0])
    return x.value() if isinstance(x, Pending) else x
