"""Lengths that a file leaves open: a network that is right for those of the examples alone says so when it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.examples import Sizes
from compose.port.ir.graph import Op, SourceGraph

_MORE = 3  # an odd number, since half of an even one more may be the same


def with_lengths(
    graph: SourceGraph, model: onnx.ModelProto, sizes: Sizes, lowered: Callable[[Sizes], Any]
) -> SourceGraph:
    """The graph, whose inputs must have the lengths it was read with if it is another one for other lengths."""
    places = {x.name: _open(x) for x in model.graph.input}
    if not any(places.values()):
        return graph
    longer = {n: tuple(s + _MORE * (a in places[n]) for a, s in enumerate(shape)) for n, shape in sizes.items()}
    try:
        _, other = lowered(longer)
    except PortError:
        other = None
    if other is not None and _said(graph) == _said(other):
        return graph
    count = max([*graph.inputs, *(op.output for op in graph.ops)]) + 1
    checks, inputs = [], []
    for i, (index, axes, (name, where)) in enumerate(zip(graph.inputs, graph.input_axes, places.items())):
        shape = [n if a in where else None for a, n in enumerate(sizes[name])]
        shape = shape if axes is None else [shape[a] for a in axes]
        inputs.append(count + i if where else index)
        if where:
            checks.append(Op(word("ensure_shape")(*shape), (count + i,), index))
    return replace(graph, inputs=tuple(inputs), ops=(*checks, *graph.ops))


def _open(value: onnx.ValueInfoProto) -> set[int]:
    """The axes after the first whose size the file leaves open."""
    return {a for a, d in enumerate(value.type.tensor_type.shape.dim) if a and not d.dim_value}


def _said(graph: SourceGraph) -> list[Any]:
    """What the graph computes, without the numbers of values."""
    constants = lambda op: [np.asarray(a.array).tobytes() for a in op.views() if hasattr(a, "array")]
    return [(op.layer, op.inputs, op.output, constants(op)) for op in graph.ops]
