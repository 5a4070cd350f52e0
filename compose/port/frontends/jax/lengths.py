"""Lengths for which alone the network of a function is right: those that the function reads, as `jnp.pad` does.

A trace has every size as a number. Whether the network depends on a length shows in the network for another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from compose.core.errors import PortError
from compose.port.ir.graph import SourceGraph
from compose.port.lowering.fixed_sizes import alike, pinned, takes
from compose.port.proof.sizes import Axes, axes_of_one_size, resized

Inputs = list[np.ndarray]


def with_lengths(model: Any, graph: SourceGraph, inputs: Inputs, again: Callable[[Inputs], SourceGraph]) -> SourceGraph:
    """The graph, whose inputs must have those lengths of the examples with others of which it is another graph.

    Args:
        again: reads the function again for other inputs.
    """
    shapes = [x.shape for x in inputs]
    _, *lengths = list(axes_of_one_size(shapes)) or [[]]
    return pinned(graph, [a for axes in lengths if _is_fixed(model, graph, inputs, axes, again) for a in axes], shapes)


def _is_fixed(model: Any, graph: SourceGraph, inputs: Inputs, axes: Axes, again: Callable) -> bool:
    """Whether the network and the function take another length, for which they differ."""
    for other in resized(inputs, axes, np.random.default_rng(0)):
        if not takes(graph, _specs(inputs), _specs(other)) or not _traceable(model, other):
            continue
        try:
            return not alike(graph, again(other))
        except PortError:
            return True
    return False


def _traceable(model: Any, inputs: Inputs) -> bool:
    try:
        jax.eval_shape(lambda xs: model.run(model.arrays, xs)[0], inputs)
    except Exception:
        return False
    return True


def _specs(inputs: Inputs) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype)) for x in inputs]
