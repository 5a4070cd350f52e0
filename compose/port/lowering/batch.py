"""The size of the batch as a symbol: a model is read with two numbers for it, and what differs follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word

SECOND = 7907  # the other number for the batch: a prime too
POWERS = (1.0, -1.0, 0.5, -0.5, 2.0, -2.0)


@dataclass(frozen=True)
class BatchNumber:
    """A number of the source that is `factor * batch**power`."""

    factor: float
    power: float


def batch_number(a: Any, b: Any, batch: int, other: int) -> BatchNumber | None:
    """What a number is that the source says as `a` for one size of the batch, and as `b` for the other.

    >>> batch_number(2 / 7, 2 / 11, 7, 11)
    BatchNumber(factor=2.0, power=-1.0)
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.size != 1 or b.size != 1 or not a.all() or not b.all():
        return None
    for power in POWERS:
        factor = a.item() / batch**power
        if np.isclose(b.item(), factor * other**power, rtol=1e-10, atol=0):  # n - 1 is no n
            return BatchNumber(float(f"{factor:.12g}"), power)
    return None


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """A constant that is the same for every example, though it has the size of the batch: repeated along that axis.

    None for one whose numbers follow from the batch.
    """
    if a.shape == b.shape:
        return a if _equal(a, b) else None
    if a.ndim != b.ndim or 0 in (a.size, b.size):
        return None
    one, two = a, b
    for axis, (n, m) in enumerate(zip(a.shape, b.shape)):
        if n != m:  # a view, so that what is repeated along other axes stays so
            first = (*(slice(None),) * axis, slice(0, 1))
            one, two = one[first], two[first]
    made = np.broadcast_to(one, a.shape)
    return made if _equal(one, two) and _equal(a, made) and _equal(b, np.broadcast_to(two, b.shape)) else None


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def follows(a: int, b: int, batch: int, other: int) -> bool:
    """Whether a size does not depend on the batch, or is a multiple or a part of it."""
    return a == b or a * other == b * batch


def by_batch(lowering: Any, operation: str, x: Any, number: BatchNumber, size: Any, turned: bool = False) -> Any:
    """`x + number`, `x - number`, `x * number` or `x / number`; `turned` with the number on the left.

    Args:
        size: the size of the batch, as a value.
    """
    if operation in ("multiply", "divide"):
        power = -number.power if operation == "divide" and not turned else number.power
        factor = 1 / number.factor if operation == "divide" and not turned else number.factor
        if operation == "divide" and turned:
            x = lowering.each(word("ops.reciprocal"), x)
        if abs(power) != 1:
            size = lowering.emit(word("ops.power")(x2=abs(power)), size, shape=())
        made = lowering.pair("multiply" if power > 0 else "divide", x, size)
        return made if factor == 1 else lowering.each(word("scale")(by=factor), made)
    if number.power != 1:
        size = lowering.emit(word("ops.power")(x2=number.power), size, shape=())
    factor = number.factor if operation == "subtract" and not turned else -number.factor
    size = size if factor == 1 else lowering.emit(word("scale")(by=factor), size, shape=())
    if operation == "subtract" and turned:
        x = lowering.each(word("scale")(by=-1.0), x)
    return lowering.pair("subtract", x, size)  # a sum would be read as a residual, whose sides have equal shapes


def refuse_size(what: str, places: Sequence[str] = ()) -> PortError:
    """The error for a size that no word of the language says."""
    where = f", at {places[0]}" if places and places[0] else ""
    return PortError(
        f"sizes that do not depend on the batch, or are a multiple of it, got {what} computed from the size of the "
        f"batch in another way{where}; make it an argument of the layer, or compute it for each example"
    )


def other_operations(instead: str, place: str = "") -> str:
    """What is wrong with a model that runs other operations for another batch; `instead` maps over the examples."""
    where = f", at {place}" if place else ""
    return (
        f"operations that are the same for a batch of any size, got others for another size{where}; "
        f"a loop over the examples is {instead} or an operation on the whole batch"
    )
