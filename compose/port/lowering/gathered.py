"""Choices by data of graphs that compute both branches: what only one of them needs is gathered, as a `choose`.

Such a graph takes one of two results. A `choose` computes one alone, so that no infinity or NaN of the other reaches a
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from compose.core.registry import word
from compose.port.ir.graph import Body, Op
from compose.port.lowering.choose import choice_of


class Choice(NamedTuple):
    """A choice by one condition.

    Attributes:
        ends: the values that are taken from one of two branches, by `ops.where`.
        inside: whether a value can be one of a branch, 0 or 1.
    """

    ends: tuple[int, ...]
    inside: Callable[[int, int], bool] = lambda value, way: True


def gathered(ops: list[Op], choices: Iterable[Choice], outputs: set[int], free: int) -> list[Op]:
    """The layers, with those of each branch of a choice within it.

    Args:
        choices: those inside others first.
        outputs: the values that the model returns.
        free: a number from which on no value is called.
    """
    alias: dict[int, int] = {}  # the ends that new values stand for
    for choice in choices:
        ops, free = _one(ops, choice, outputs, free, alias)
    return ops


def _one(ops: list[Op], choice: Choice, outputs: set[int], free: int, alias: dict[int, int]) -> tuple[list[Op], int]:
    ends = [op for op in ops if op.output in choice.ends]
    if not ends:
        return ops, free
    bodies, inside = [], set()
    for way in (0, 1):
        results = [op.inputs[1 + way] for op in ends]
        own = _only_there(ops, way, results, choice, outputs, alias)
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
    alias[whole] = alias.get(first.output, first.output)
    new = [replace(first, layer=choice_of(ways), inputs=(first.inputs[0], *given), output=whole, bodies=ways)]
    if len(ends) > 1:
        free += 1
        new += [replace(end, layer=word("at")(str(i)), inputs=(whole,)) for i, end in enumerate(ends)]
    gone = inside | {op.output for op in ends}
    return _in_order([*(op for op in ops if op.output not in gone), *new]), free


def _only_there(
    ops: list[Op], way: int, results: list[int], choice: Choice, outputs: set[int], alias: dict[int, int]
) -> list[Op]:
    """The layers of a branch, which nothing else reads."""
    own: list[Op] = []
    outside, reached = set(outputs), set(results)
    for op in reversed(ops):
        if op.output in choice.ends:
            outside |= {op.inputs[0], op.inputs[2 - way]}
            continue
        value = alias.get(op.output, op.output)
        if op.output in reached and op.output not in outside and choice.inside(value, way):
            own.append(op)
            reached.update(op.inputs)
        else:
            outside.update(op.inputs)
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
