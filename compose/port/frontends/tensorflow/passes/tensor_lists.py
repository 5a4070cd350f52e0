"""Lists of tensors, as loops read and write them, by their elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.port.frontends.tensorflow.float64.nodes import NodeDef, constant
from compose.port.frontends.tensorflow.inlining import Flat

_READS = ("TensorListGetItem", "TensorListStack")


def without_lists(flat: Flat, outputs: list[str], number: Callable[[str], Any]) -> None:
    """Read every list by its elements: what went in comes out, and a stack is one of tensors."""
    lists: dict[str, list[str | None]] = {}
    for node in flat.order(outputs):
        reads = [flat.settled(i) for i in node.input]
        if node.op == "TensorListReserve":
            size = number(reads[1])
            lists[node.name] = [None] * (0 if size is None else int(size))
        elif node.op == "TensorListFromTensor":
            lists[node.name] = _Parts(flat, node, reads[0])
            flat.sequences[node.name] = reads[0]
        elif node.op == "TensorListSetItem" and (at := number(reads[1])) is not None:
            held = lists[_of(reads[0])]
            changed = list(held)
            changed += [None] * (int(at) + 1 - len(changed))
            changed[int(at)] = reads[2]
            lists[node.name] = changed
        elif node.op == "TensorListGetItem" and (at := number(reads[1])) is not None:
            flat.become(node, [_element(lists[_of(reads[0])], int(at))])
        elif node.op == "TensorListStack":
            parts = lists[_of(reads[0])]
            if isinstance(parts, _Parts):
                flat.become(node, [reads[0]])
                continue
            elements = [_element(parts, i) for i in range(len(parts))]
            made: Any = NodeDef(name=f"{node.name}/stacked", op="Pack", input=elements)
            made.attr["T"].type, made.attr["N"].i = node.attr["element_dtype"].type, len(elements)
            flat.nodes[made.name] = made
            flat.become(node, [f"{made.name}:0"])
        elif node.op in ("Identity", "Snapshot") and _of(reads[0]) in lists:
            lists[node.name] = lists[_of(reads[0])]
    _without_stacks(flat, outputs, number)


class _Parts(list):
    """The slices of a tensor along its first axis, split where one is read."""

    def __init__(self, flat: Flat, node: Any, tensor: str):
        super().__init__()
        self.flat, self.node, self.tensor = flat, node, tensor

    def part(self, at: int) -> str:
        name = part_of(self.node.name, at)
        if name not in self.flat.nodes:
            made: Any = NodeDef(name=name, op="StridedSlice", input=[self.tensor])
            made.attr["T"].type, made.attr["Index"].type = self.node.attr["element_dtype"].type, 3
            made.attr["shrink_axis_mask"].i = 1
            for key, value in (("begin", at), ("end", at + 1), ("strides", 1)):
                held = constant(f"{name}/{key}", np.asarray([value], np.int32))
                self.flat.nodes[held.name] = held
                made.input.append(f"{held.name}:0")
            self.flat.nodes[name] = made
        return f"{name}:0"


def part_of(sequence: str, at: int) -> str:
    """The node of one element of a list that was made of a tensor."""
    return f"{sequence}/part{at}"


def _of(tensor: str) -> str:
    return tensor.rpartition(":")[0]


def _element(parts: Any, at: int) -> str:
    if isinstance(parts, _Parts):
        return parts.part(at)
    if at >= len(parts) or parts[at] is None:
        raise PortError(f"a loop that writes every element of what it returns, got none at {at}")
    return parts[at]


def _without_stacks(flat: Flat, outputs: list[str], number: Callable[[str], Any]) -> None:
    """One element of a stack is that element: `stack(outputs)[-1]` is the last output."""
    for node in flat.order(outputs):
        if node.op != "StridedSlice":
            continue
        stacked = flat.nodes.get(_of(flat.settled(node.input[0])))
        begin = number(node.input[1])
        if begin is None or begin.size != 1 or node.attr["shrink_axis_mask"].i != 1:
            continue
        if stacked is not None and stacked.op == "Pack" and stacked.attr["axis"].i == 0:
            flat.become(node, [flat.settled(stacked.input[int(begin.ravel()[0])])])
