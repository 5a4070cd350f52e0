"""A trace for a batch of any size: two traces compared, in which different numbers stand for the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.port.frontends.jax.inlining import Eqn, Flat, user_line
from compose.port.lowering.batch import BatchNumber, alike, batch_number, follows, other_operations, refuse_size
from compose.port.lowering.literals import unrepeated

_ARITHMETIC = ("mul", "div", "add", "sub")  # whose rules know a number that follows from the batch


def follow_batch(flat: Flat, second: Flat, batch: int, other: int) -> dict[int, BatchNumber]:
    """The constants of the first trace, by `id`, that are numbers which follow from the batch.

    Constants that only have its size become one of its examples, repeated. Raises `PortError` for what a network of
    any batch cannot say.
    """
    numbers: dict[int, BatchNumber] = {}
    _follow(flat.eqns, second.eqns, batch, other, numbers)
    return numbers


def _follow(eqns: list[Eqn], twins: list[Eqn], batch: int, other: int, numbers: dict[int, BatchNumber]) -> None:
    """Note the numbers of operations, in place, and of the branches of choices among them."""
    for i, (eqn, twin) in enumerate(zip(eqns, twins)):
        if eqn.name != twin.name or len(eqn.inputs) != len(twin.inputs):
            raise PortError(other_operations("jax.vmap,", user_line(eqn.where)))
        try:
            _check(eqn, twin, batch, other)
            constant = lambda a, b: _constant(a, b, eqn, batch, other, numbers)  # noqa: B023
            inputs = tuple(map(constant, eqn.inputs, twin.inputs))
            for way, second in zip(eqn.ways, twin.ways):
                _follow(way.eqns, second.eqns, batch, other, numbers)
                way.outputs[:] = map(constant, way.outputs, second.outputs)
        except PortError as e:
            e.add_note(f"at {user_line(eqn.where)}")
            raise
        eqns[i] = eqn.but(inputs=inputs)
    if len(eqns) != len(twins):
        raise PortError(other_operations("jax.vmap,", user_line((eqns or twins)[-1].where)))


def _constant(a: Any, b: Any, eqn: Eqn, batch: int, other: int, numbers: dict[int, BatchNumber]) -> Any:
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return a
    same = alike(a, b)
    if same is not None:
        return same
    found = batch_number(unrepeated(a), unrepeated(b), batch, other)
    if found is None or eqn.name not in _ARITHMETIC:
        raise refuse_size(f"numbers for {eqn.name}")
    numbers[id(a)] = found
    return a


def _check(eqn: Eqn, twin: Eqn, batch: int, other: int) -> None:
    if eqn.name == "slice":
        rows = zip(*(
            (*e.params["start_indices"], *e.params["limit_indices"], *e.inputs[0].shape) for e in (eqn, twin)
        ))  # fmt: skip
        starts, stops, sizes = (list(part) for part in np.array_split(list(rows), 3))
        for (a, b), (p, q), (n, m) in zip(starts, stops, sizes):
            if a != b or (p != q and (p, q) != (n, m)):
                raise refuse_size("the ends of a slice")
        return
    strict = eqn.name in ("pad", "iota", "rng_bit_generator")
    for a, b in zip(_numbers(eqn.params), _numbers(twin.params)):
        if not (a == b if strict else follows(a, b, batch, other)):
            raise refuse_size(f"a size of {eqn.name}")


def _numbers(value: Any) -> list[int]:
    """The whole numbers in the options of an operation, in their order."""
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in _numbers(value[key])]
    if isinstance(value, (tuple, list)):
        return [n for part in value for n in _numbers(part)]
    return [int(value)] if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else []
