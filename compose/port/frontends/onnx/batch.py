"""The batch stays free: a model is read with two numbers for it, and what then differs follows from it."""

from __future__ import annotations

import numpy as np

from compose.core.errors import PortError
from compose.port.frontends.onnx.choices import inside
from compose.port.frontends.onnx.constant_folding import Graph
from compose.port.frontends.onnx.examples import Sizes
from compose.port.lowering.batch import SECOND
from compose.port.lowering.values import BATCH


class BatchError(PortError):
    """Numbers that follow from the batch where a network of any batch needs some that do not."""


def with_second(sizes: Sizes) -> Sizes:
    """The same sizes with the second number for the batch."""
    return {name: (SECOND, *shape[1:]) if shape else shape for name, shape in sizes.items()}


def note_varying(graph: Graph, second: Graph) -> None:
    """Note in the graph, read with the first number, the constants that are others in the one read with the second.

    Raises `PortError` for a size that follows from the batch in another way than as a multiple of it.
    """
    nodes, others = (list(inside(g.nodes)) for g in (graph, second))
    if [node.outputs for node in nodes] != [node.outputs for node in others]:
        raise BatchError("operations that are the same for any batch")
    for node in nodes:
        for name in (*node.inputs, *node.outputs):
            sizes = zip(graph.shapes.get(name, ()), second.shapes.get(name, ()))
            if any(a != b and (a % BATCH or a // BATCH * SECOND != b) for a, b in sizes):
                raise BatchError(f"sizes that are multiples of the batch or do not depend on it, at {node.where}")
    same = lambda a, b: a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    graph.varying = {
        name: second.constants[name]
        for name, array in graph.constants.items()
        if name in second.constants and not same(array, second.constants[name])
    }
