"""Slices, gathers, selections by index, one-hot vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.registry import rule
from compose.port.frontends.jax.values import Value, Weight


@rule("jax.slice")
def _slice(low, eqn, x):
    if isinstance(x, Weight):
        return _rows(low, eqn, x)
    if not isinstance(x, Value):
        raise PortError("a slice of a value or a weight")
    if all(n == m for n, m in zip(x.shape, eqn.outputs[0].shape)):
        return x
    return low.emit(index_layer(eqn, ()), x)


def _rows(low: Any, eqn: Any, weight: Weight) -> Weight:
    """Some rows of a weight."""
    start, stop = eqn.params["start_indices"], eqn.params["limit_indices"]
    view, shape = weight.view, eqn.outputs[0].shape
    first, count = view.rows[0] if view.rows else 0, len(view.part(low.model.arrays[view.source]))
    along_rows = tuple(stop[1:]) == weight.own[1:] and not any(start[1:]) and not {*(eqn.params["strides"] or ())} - {1}
    if not along_rows or view.axes or weight.own[0] != count:  # a reshape may have made other rows
        raise PortError("a part of a weight that is some of its first axis")
    view = replace(view, rows=(first + start[0], first + stop[0]), shape=None if view.shape is None else shape)
    return weight.taken(view, shape)


def index_layer(eqn: Any, dropped: tuple[int, ...]) -> Any:
    """An index layer for a slice; dropped axes are indexed by a number."""
    sizes, params = eqn.inputs[0].shape, eqn.params
    parts = []
    for i, size in enumerate(sizes):
        start, stop = params["start_indices"][i], params["limit_indices"][i]
        step = params["strides"][i] if params["strides"] else 1
        if i in dropped:
            parts.append(str(start) if start < size - 1 or size == 1 else "-1")
            continue
        ends = ("" if start == 0 else str(start), "" if stop == size else str(stop))
        parts.append(":".join(ends) + (f":{step}" if step != 1 else ""))
    while parts and parts[-1] == ":":
        parts.pop()
    return word("at")(", ".join(parts))
