"""A choice by data: each branch is lowered to a graph of its own, within one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from compose.combinators.graph import Step
from compose.core.errors import PortError
from compose.core.layer import Layer
from compose.core.registry import word
from compose.port.ir.graph import Body, Op
from compose.port.lowering.base import Lowering, V

Way = Callable[[], Sequence[V]]  # emits layers, and gives the results


def chosen(lowering: Lowering[V], condition: V, ways: tuple[Way, Way]) -> list[V]:
    """The results of the first way where a condition holds, of the second where it does not, by `choose`.

    Args:
        condition: one boolean for the whole batch.
        ways: they give results of the same shapes and layouts.

    Raises `PortError` for results that differ in those.
    """
    (first, values), (second, others) = (_lowered(lowering, way) for way in ways)
    indices = [[v.index for v in of] for of in (values, others)]
    if [v.but(index=0) for v in values] != [v.but(index=0) for v in others]:
        raise PortError("two ways whose results have the same shapes and dtypes")
    if len(values) > 1:
        for ops, of in zip((first, second), indices):
            ops.append(Op(word("collect"), tuple(of), lowering.new_index()))
            of[:] = [ops[-1].output]
    given = tuple(dict.fromkeys(v for ops, (out,) in zip((first, second), indices) for v in _read(ops, out)))
    bodies = tuple(Body(given, tuple(ops), out) for ops, (out,) in zip((first, second), indices))
    whole, place = lowering.new_index(), lowering.place()
    lowering.ops.append(Op(choice_of(bodies), (condition.index, *given), whole, {}, {}, *place, bodies=bodies))
    if len(values) == 1:
        return [values[0].but(index=whole)]
    results = [v.but(index=lowering.new_index()) for v in values]
    at: Any = word("at")
    lowering.ops += [Op(at(str(i)), (whole,), v.index, {}, {}, *place) for i, v in enumerate(results)]
    return results


def choice_of(bodies: tuple[Body, ...]) -> Layer:
    """The layer for two ways, as they were emitted; `structure` finds better ones."""
    layer: Any = word("choose")
    return layer(*map(_layer, bodies))


def one_of(lowering: Lowering[V], index: V, ways: Sequence[Way], compare: Callable[[V, int], V]) -> list[V]:
    """The results of the way of this number, the first and the last for numbers beyond them.

    Args:
        compare: emits whether a value is larger than a number.
    """
    *before, last = ways
    if not before:
        return list(last())
    inner = lambda: one_of(lowering, index, ways[1:], lambda x, n: compare(x, n + 1))
    return chosen(lowering, compare(index, 0), (inner, before[0]))


def _lowered(lowering: Lowering[V], way: Way) -> tuple[list[Op], list[V]]:
    """The layers that a way emits, apart from those around it, and its results."""
    with lowering.separately():
        values = list(way())
        return lowering.ops, values


def _read(ops: list[Op], output: int) -> list[int]:
    """The values that a way reads from around it."""
    made = {op.output for op in ops}
    return [v for v in (*(v for op in ops for v in op.inputs), output) if v not in made]


def _layer(body: Body) -> Layer:
    place = {v: i for i, v in enumerate((*body.inputs, *(op.output for op in body.ops)))}
    steps = tuple(Step(op.layer, tuple(place[v] for v in op.inputs)) for op in body.ops)
    whole: Any = word("graph")
    return whole((len(body.inputs), steps, place[body.outputs]))
