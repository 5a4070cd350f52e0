"""The branches of choices by data that the inputs of a proof take: one that none of them takes is not proven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from compose.core.context import Context
from compose.port.ir.graph import Op
from compose.port.ir.reference import Arrays
from compose.port.ir.weights import Record, WeightMap
from compose.port.result import Result, exact

_DRAWN = 30  # inputs that are drawn
Inputs = list[np.ndarray]
Branch = tuple[tuple[int, ...], bool]  # a choice, by its place in the graph, and what its condition is

_OF_FLOATS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    np.negative, np.abs, lambda x: -np.abs(x), lambda x: 10 * x, lambda x: -10 * x, lambda x: 0.1 * x,
    lambda x: x + 1, lambda x: x - 1, lambda x: x + 5, lambda x: x - 5, lambda x: x * x, np.zeros_like,
    lambda x: 100 * x, lambda x: -100 * x,
)  # fmt: skip
_OF_INTEGERS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda x: x.max(initial=0) - x + x.min(initial=0), lambda x: np.roll(x, 1), lambda x: np.flip(x, -1),
    lambda x: np.full_like(x, x.min(initial=0)), lambda x: np.full_like(x, x.max(initial=0)), np.zeros_like,
)  # fmt: skip


def has_choices(port: Result) -> bool:
    return any(op.bodies for op in port.graph.ops)


def every_branch(port: Result, arrays: Arrays, tried: list[Inputs], also: Iterable[Inputs]) -> tuple[list[Inputs], str]:
    """Inputs each of which takes a branch that none before it takes, and the first choice with a branch never taken.

    Args:
        tried: the inputs that the proof compares at anyway.
        also: further ones, which are all returned; variants of the examples are tried after them.
    """
    every, also = dict(_branches(port.graph.ops, ())), list(also)
    left = set(every).difference(*(_taken(port, arrays, inputs) for inputs in (*tried, *also)))
    more = []
    for inputs in _variants(tried[0]):
        if not left:
            break
        taken = _taken(port, arrays, inputs) & left
        if taken and _runs(port, arrays, inputs):
            more.append(inputs)
            left -= taken
    missed = next((branch for branch in every if branch in left), None)
    return [*also, *more], "" if missed is None else _said(every[missed], missed[1])


def _said(op: Op, branch: bool) -> str:
    where = f" at {op.where}" if op.where else ""
    return (
        f"the choice{where}: its condition is {not branch} for every input that was tried, so its other branch is not "
        "proven; give inputs for which it is not: verify(also=[inputs])"
    )


def _branches(ops: Iterable[Op], place: tuple[int, ...]) -> Iterator[tuple[Branch, Op]]:
    """All branches of all choices, each with its choice."""
    for op in ops:
        for branch, body in zip((True, False), op.bodies):
            yield ((*place, op.output), branch), op
            yield from _branches(body.ops, (*place, op.output, int(branch)))


def _taken(port: Result, arrays: Arrays, inputs: Inputs) -> set[Branch]:
    """The branches that the layers of the graph take, one after the other."""
    taken: set[Branch] = set()
    values = dict(zip(port.graph.inputs, map(jnp.asarray, port.ours(inputs))))
    _run(port.graph.ops, values, arrays, (), taken)
    return taken


def _run(
    ops: Iterable[Op], values: dict[int, Any], arrays: Arrays, place: tuple[int, ...], taken: set[Branch]
) -> dict[int, Any]:
    for op in ops:
        given = [values[v] for v in op.inputs]
        if op.bodies:
            branch = bool(np.asarray(given[0]).item())
            taken.add(((*place, op.output), branch))
            body = op.bodies[0 if branch else 1]
            inside = dict(zip(body.inputs, given[1:]))
            values[op.output] = _run(body.ops, inside, arrays, (*place, op.output, int(branch)), taken)[body.outputs]
        else:
            values[op.output] = _applied(op, given, arrays)
    return values


def _applied(op: Op, given: list[Any], arrays: Arrays) -> Any:
    records = []
    for tree, views in (("params", op.weights), ("state", op.state)):
        for name, view in views.items():
            parts = view if isinstance(view, tuple) else (view,)
            records += [Record(part, tree, name, (), (i, len(parts))) for i, part in enumerate(parts)]
    params, state = WeightMap(records).load(arrays, jnp.asarray)
    return exact(op.layer).call(params, state, given[0] if len(given) == 1 else tuple(given), Context())[0]


def _variants(inputs: Inputs) -> Iterator[Inputs]:
    """The inputs, changed: all of them, then each alone."""
    rng = np.random.default_rng(23)
    for i in range(len(_OF_FLOATS)):
        yield [_changed(x, i) for x in inputs]
    for i in range(_DRAWN):
        scale, shift = 10.0 ** rng.uniform(-1, 1), rng.normal()
        yield [scale * (rng.normal(size=x.shape) + shift) if x.dtype.kind == "f" else _changed(x, i) for x in inputs]
    for j in range(len(inputs) if len(inputs) > 1 else 0):
        for i in range(len(_OF_FLOATS)):
            yield [_changed(x, i) if k == j else x for k, x in enumerate(inputs)]


def _changed(x: np.ndarray, i: int) -> np.ndarray:
    if x.dtype.kind == "b":
        return (np.logical_not, np.ones_like, np.zeros_like)[i % 3](x)
    fns = _OF_FLOATS if x.dtype.kind in "fc" else _OF_INTEGERS
    return np.asarray(fns[i % len(fns)](x), x.dtype)


def _runs(port: Result, arrays: Arrays, inputs: Inputs) -> bool:
    """Whether the source takes such inputs, and gives numbers."""
    try:
        made = [np.asarray(y) for y in port.reference.outputs(arrays, inputs)]
    except Exception:
        return False
    return all(np.isfinite(y).all() for y in made if y.dtype.kind in "fc")
