"""Sizes that a port is right for alone: whether the network for others is the same, and the check of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.core.plan import plan
from compose.core.registry import word
from compose.port.ir.graph import Op, SourceGraph
from compose.port.ir.weights import Constant

Axes = list[tuple[int, int]]  # (input, axis)


def specs(graph: SourceGraph, inputs: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    """The inputs of a graph, in its own order of the axes, for arrays of the source."""
    shapes = (x.shape if axes is None else [x.shape[a] for a in axes] for axes, x in zip(graph.input_axes, inputs))
    return [
        jax.ShapeDtypeStruct(tuple(shape), jax.dtypes.canonicalize_dtype(x.dtype)) for shape, x in zip(shapes, inputs)
    ]


def takes(graph: SourceGraph, specs: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether the layers of a graph for inputs like `specs` take inputs like `other`, with the weights they have."""
    try:
        return _weights(graph, specs) == _weights(graph, other)
    except (ComposeError, TypeError, ValueError):
        return False


def _weights(graph: SourceGraph, specs: Sequence[Any]) -> list[Any]:
    """The parameters and the state of each layer."""
    shapes: dict[int, Any] = dict(zip(graph.inputs, specs))
    held = []
    for op in graph.ops:
        given = [shapes[v] for v in op.inputs]
        planned = plan(op.layer, given[0] if len(given) == 1 else tuple(given))
        shapes[op.output] = planned.out
        held.append((planned.param_specs(), planned.state_specs()))
    return held


def alike(a: SourceGraph, b: SourceGraph) -> bool:
    """Whether two graphs are the same layers of the same weights."""
    same = (a.outputs, a.input_axes, a.output_axes) == (b.outputs, b.input_axes, b.output_axes)
    return same and len(a.ops) == len(b.ops) and all(map(_same, a.ops, b.ops))


def _same(a: Op, b: Op) -> bool:
    if (a.layer, a.inputs, a.output) != (b.layer, b.inputs, b.output):
        return False
    views = list(zip(a.views(), b.views()))
    return len(views) == len(list(b.views())) and all(
        np.array_equal(x.array, y.array) if isinstance(x, Constant) and isinstance(y, Constant) else x == y
        for x, y in views
    )


def pinned(graph: SourceGraph, fixed: Axes, shapes: list[tuple[int, ...]]) -> SourceGraph:
    """The graph behind an `ensure_shape` for each input with a size that is fixed."""
    inputs = {graph.inputs[i]: i for i, _ in fixed}
    if not inputs:
        return graph
    read = {*jax.tree.leaves(graph.outputs), *(v for op in graph.ops for v in op.inputs)}
    if not read.issuperset(inputs):
        raise PortError("inputs whose numbers are read, got one of which the model reads the sizes alone")
    start = max([*graph.inputs, *(op.output for op in graph.ops)]) + 1
    new = {v: start + n for n, v in enumerate(inputs)}
    checks = []
    for v, i in inputs.items():
        order = graph.input_axes[i] or range(len(shapes[i]))
        layer = word("ensure_shape")(*(shapes[i][a] if (i, a) in fixed else None for a in order))
        checks.append(Op(layer, (v,), new[v]))
    ops = [replace(op, inputs=tuple(new.get(v, v) for v in op.inputs)) for op in graph.ops]
    outputs = jax.tree.map(lambda v: new.get(v, v), graph.outputs)
    return replace(graph, ops=(*checks, *ops), outputs=outputs)
