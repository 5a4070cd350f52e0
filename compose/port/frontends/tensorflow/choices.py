"""Choices by data: what only one branch needs is gathered within it, as a `choose` of graphs.

TensorFlow's graph in float64 computes both branches and takes one. A `choose` computes one alone, so that no infinity
or NaN of the other reaches a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compose.core.registry import word
from compose.port.frontends.tensorflow.control_flow import CHOICE, WAYS
from compose.port.ir.graph import Body, Op
from compose.port.lowering.choose import choice_of


def choice_name(node: str) -> str | None:
    """The name of the choice of which a node takes an output; None for any other node."""
    name, _, last = node.rpartition(">")
    return name if last.startswith(CHOICE) and last.removeprefix(CHOICE).isdigit() else None


def gathered(ops: list[Op], names: dict[int, str], outputs: set[int], free: int) -> list[Op]:
    """The layers, with those of each branch of a choice within it.

    Args:
        names: for each value of a layer the node that it was emitted for.
        outputs: the values that the model returns.
        free: a number from which on no value is called.
    """
    choices = dict.fromkeys(found for op in ops if (found := choice_name(names.get(op.output, ""))) and _ends(op))
    for choice in sorted(choices, key=lambda name: -name.count(">")):  # those inside others first
        ops, free = _one(ops, names, outputs, choice, free)
    return ops


def _ends(op: Op) -> bool:
    return op.layer == word("ops.where") and len(op.inputs) == 3


def _one(ops: list[Op], names: dict[int, str], outputs: set[int], choice: str, free: int) -> tuple[list[Op], int]:
    ends = [op for op in ops if choice_name(names.get(op.output, "")) == choice and _ends(op)]
    bodies, inside = [], set()
    for i, way in enumerate(WAYS):
        results = [op.inputs[1 + i] for op in ends]
        own = _only_there(ops, names, f"{choice}>{way}>", {op.output for op in ends}, outputs)
        inside |= {op.output for op in own}
        bodies.append((own, results))
    if len(ends) > 1:
        for own, results in bodies:
            own.append(Op(word("collect"), tuple(results), free))
            results[:] = [free]
            free += 1
    made = {op.output for own, _ in bodies for op in own}
    read = [v for own, results in bodies for v in (*(v for op in own for v in op.inputs), *results) if v not in made]
    given = tuple(dict.fromkeys(read))
    ways = (Body(given, tuple(bodies[0][0]), bodies[0][1][0]), Body(given, tuple(bodies[1][0]), bodies[1][1][0]))
    first = ends[0]
    whole = first.output if len(ends) == 1 else free
    names[whole] = names[first.output]
    new = [replace(first, layer=choice_of(ways), inputs=(first.inputs[0], *given), output=whole, bodies=ways)]
    if len(ends) > 1:
        free += 1
        new += [replace(end, layer=word("at")(str(i)), inputs=(whole,)) for i, end in enumerate(ends)]
    gone = inside | {op.output for op in ends}
    return _in_order([*(op for op in ops if op.output not in gone), *new]), free


def _only_there(ops: list[Op], names: Mapping[int, str], prefix: str, ends: set[int], outputs: set[int]) -> list[Op]:
    """The layers of a branch, which nothing else reads."""
    own: list[Op] = []
    outside = set(outputs)
    for op in reversed(ops):
        here = names.get(op.output, "").startswith(prefix) and op.output not in outside
        if here:
            own.append(op)
        elif op.output not in ends:
            outside.update(op.inputs)
        else:
            outside.add(op.inputs[0])
    return own[::-1]


def _in_order(ops: list[Op]) -> list[Op]:
    """The operations, each after those whose values it reads."""
    made = {op.output: op for op in ops}
    done: dict[int, Op] = {}
    for op in ops:
        stack = [op]
        while stack:
            last = stack[-1]
            needed = [made[v] for v in last.inputs if v in made and v not in done]
            if needed:
                stack += needed
            else:
                done.setdefault(stack.pop().output, last)
    return list(done.values())
