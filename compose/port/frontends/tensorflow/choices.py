"""Choices by data, by the names of the nodes that `control_flow` makes of them."""

from __future__ import annotations

from collections.abc import Mapping

from compose.core.registry import word
from compose.port.frontends.tensorflow.control_flow import CHOICE, WAYS
from compose.port.ir.graph import Op
from compose.port.lowering.gathered import Choice


def choice_name(node: str) -> str | None:
    """The name of the choice of which a node takes an output; None for any other node."""
    name, _, last = node.rpartition(">")
    return name if last.startswith(CHOICE) and last.removeprefix(CHOICE).isdigit() else None


def choices(ops: list[Op], names: Mapping[int, str]) -> list[Choice]:
    """The choices of a graph, those inside others first.

    Args:
        names: for each value of a layer the node that it was emitted for.
    """
    ends: dict[str, list[int]] = {}
    for op in ops:
        found = choice_name(names.get(op.output, ""))
        if found is not None and op.layer == word("ops.where") and len(op.inputs) == 3:
            ends.setdefault(found, []).append(op.output)

    def inside(name: str):
        return lambda value, way: names.get(value, "").startswith(f"{name}>{WAYS[way]}>")

    order = sorted(ends, key=lambda name: -name.count(">"))
    return [Choice(tuple(ends[name]), inside(name)) for name in order]
