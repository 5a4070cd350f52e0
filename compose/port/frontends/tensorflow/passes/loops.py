"""Loops that were written out, as what they were: steps over a sequence, with what is carried from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from compose.port.frontends.tensorflow.inlining import Flat
from compose.port.frontends.tensorflow.passes.tensor_lists import part_of


@dataclass(frozen=True)
class Loop:
    """Tensors of a loop, by their names.

    Attributes:
        name: of its node; what a step does is called `name>step>...`.
        x: the sequence, time first.
        parts: of each step what it reads of `x`.
        carries: of each value that is carried its tensors, before the first step and after every one.
    """

    name: str
    x: str
    parts: tuple[str, ...]
    carries: tuple[tuple[str, ...], ...]

    def within(self, nodes: set[str]) -> Loop | None:
        """Without what is carried and is of no use, as a count; None where nothing is left."""
        here = lambda names: all(name.rpartition(":")[0] in nodes for name in names)
        carries = tuple(filter(here, self.carries))
        return replace(self, carries=carries) if carries and here((self.x, *self.parts)) else None


def loops(flat: Flat, settled: Callable[[str], str]) -> list[Loop]:
    """The loops over one sequence."""
    made = []
    for name, turns in flat.loops.items():
        first = [flat.settled(v) for v in turns[0]]
        lists = [v.rpartition(":")[0] for v in first if v.rpartition(":")[0] in flat.sequences]
        carries = [tuple(settled(_source(flat, turn[i])) for turn in turns) for i in range(len(first))]
        moved = tuple(c for c in carries if len(set(c)) == len(c) > 1)
        if len(lists) == 1 and moved:
            parts = tuple(f"{part_of(lists[0], t)}:0" for t in range(len(turns) - 1))
            made.append(Loop(name, settled(flat.sequences[lists[0]]), parts, moved))
    return made


def _source(flat: Flat, tensor: str) -> str:
    """The tensor that one is the same as."""
    tensor = flat.settled(tensor)
    node = flat.nodes.get(tensor.rpartition(":")[0])
    return _source(flat, node.input[0]) if node is not None and node.op == "Identity" else tensor
