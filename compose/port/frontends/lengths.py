"""Lengths for which alone the network of a function is right: those that the function reads, as `jnp.pad` does.

A trace has every size as a number. Whether the network depends on a length shows in the network for another one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compose.core.errors import ComposeError
from compose.port.ir.graph import SourceGraph
from compose.port.lowering.fixed_sizes import alike, pinned, specs, takes
from compose.port.proof.sizes import Axes, axes_of_one_size, resized

Inputs = list[np.ndarray]


def with_lengths(
    graph: SourceGraph, inputs: Inputs, traceable: Callable[[Inputs], bool], again: Callable[[Inputs], SourceGraph]
) -> SourceGraph:
    """The graph, whose inputs must have those lengths of the examples with others of which it is another graph.

    Args:
        traceable: whether the source takes other inputs.
        again: reads the source again for other inputs.
    """
    fixed = [axes for axes in _lengths(inputs) if _is_fixed(graph, inputs, axes, traceable, again)]
    return pinned(graph, [a for axes in fixed for a in axes], [x.shape for x in inputs])


def takes_others(graph: SourceGraph, inputs: Inputs, axes: Axes) -> bool:
    """Whether the network of a graph takes other lengths of these axes, apart from the batch."""
    rng, given = np.random.default_rng(0), specs(graph, inputs)
    asked = [together for together in _lengths(inputs) if not set(axes).isdisjoint(together)]
    return all(any(takes(graph, given, specs(graph, x)) for x in resized(inputs, one, rng)) for one in asked)


def _lengths(inputs: Inputs) -> list[Axes]:
    """The axes of each length, apart from those of the batch."""
    return list(axes_of_one_size([x.shape for x in inputs]))[1:]


def _is_fixed(graph: SourceGraph, inputs: Inputs, axes: Axes, traceable: Callable, again: Callable) -> bool:
    """Whether the network and the source take another length, for which they differ."""
    for other in resized(inputs, axes, np.random.default_rng(0)):
        if not takes(graph, specs(graph, inputs), specs(graph, other)) or not traceable(other):
            continue
        try:
            return not alike(graph, again(other))
        except ComposeError:
            return True
    return False
