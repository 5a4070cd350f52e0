"""Where operations belong: the scopes they are in, and what of them only moves the axes of inputs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np

from compose.port.ir.graph import Op
from compose.port.structure.canonicalize import is_activation

_OWN = (
    "Tensordot",
    "moments",
    "batchnorm",
    "dropout",
    "Gelu",
    "conv1d",
    "LeakyRelu",
    "xw_plus_b",
    "while",
)  # scopes of TensorFlow's own


def scopes(node: str) -> tuple[str, ...]:
    """The user's names around a node; a loop's body says those around the loop again."""
    parts: list[str] = []
    for inner in (call.split("/")[:-1] for call in node.split(">")):
        parts = inner if parts and inner[: len(parts)] == parts else parts + inner
    return tuple(part for part in parts if re.sub(r"_\d+$", "", part) not in _OWN)


def puts_channels_first(axes: tuple[int, ...]) -> bool:
    """Whether these put the channels of images first, which here are last."""
    return len(axes) > 3 and axes == (0, len(axes) - 1, *range(1, len(axes) - 1))


def as_ours(ops: list[Op], inputs: list[int], outputs: set[int]) -> tuple[list[Op], tuple[tuple[int, ...] | None, ...]]:
    """The operations without what moves the channels of an input last, and how its axes are moved instead."""
    live, wanted = [], set(outputs)
    for op in reversed(ops):
        if op.output in wanted:
            live.insert(0, op)
            wanted.update(op.inputs)
    axes: list[tuple[int, ...] | None] = []
    for value in inputs:
        readers = [op for op in live if value in op.inputs]
        order = readers[0].layer.axes if readers and readers[0].layer.kind == "permute" else ()  # pyright: ignore
        whole = puts_channels_first(tuple(np.argsort(order).tolist())) and value not in outputs
        same = whole and all(op.layer == readers[0].layer for op in readers)
        axes.append(tuple(order) if same else None)
        if same:
            gone = {op.output for op in readers}
            live = [replace(op, inputs=tuple(value if v in gone else v for v in op.inputs)) for op in live]
            live = [op for op in live if op.output not in gone]
    return live, tuple(axes)


def placed(ops: list[Op]) -> list[Op]:
    """The operations in their scopes, without those that are around all of them, as a model's own name.

    A scope is a layer's own name, as Keras's are, where nothing else but its activation is in there.
    """
    first, last = min((op.path for op in ops), default=()), max((op.path for op in ops), default=())
    around = sum(first[: i + 1] == last[: i + 1] for i in range(len(first)))
    counts = Counter(op.path for op in ops if not is_activation(op.layer))
    made = []
    for op in ops:
        path = op.path[around:]
        path = (*path, op.layer.kind) if path and counts[op.path] > 1 else path
        made.append(replace(op, path=path, classes=("",) * len(path)))
    return made
