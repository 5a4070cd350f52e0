"""Reshapes done in our own layout: which axes of the source join or part, and whether ours can do the same in place."""

from __future__ import annotations

import math
from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.lowering.values import BATCH


def groups(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes of equal size: `(8, 3, 4) → (8, 12)` is `[([0], [0]), ([1, 2], [1])]`."""
    made: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left, right = [], []
        a = b = 1
        while True:
            if a == b and left and right:
                break
            if (a <= b or j >= len(after)) and i < len(before):
                left.append(i)
                a *= before[i]
                i += 1
            elif j < len(after):
                right.append(j)
                b *= after[j]
                j += 1
            else:
                break
        made.append((left, right))
    return _ones_joined(made, before, after)


def _ones_joined(made, before, after):
    """Runs of ones without a partner belong to their neighbour."""
    joined: list[tuple[list[int], list[int]]] = []
    for left, right in made:
        lonely = not left or not right
        if lonely and joined:
            joined[-1] = (joined[-1][0] + left, joined[-1][1] + right)
        else:
            joined.append((left, right))
    return joined


def reshape_in_place(
    before: tuple[int, ...], after: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Our target shape and its axes for a reshape of the source, or None where ours must be moved first.

    >>> reshape_in_place((8, 768, 14, 14), (8, 768, 196), (0, 2, 3, 1))
    ((8, 196, 768), (0, 2, 1))
    """
    if math.prod(before) != math.prod(after):
        return None
    placed = []
    for left, right in groups(before, after):
        real = [a for a in left if before[a] != 1]
        where = sorted(axes.index(a) for a in real)
        between = axes[where[0] : where[-1] + 1] if where else ()
        if [a for a in between if before[a] != 1] != real:
            return None
        placed.append((where[0] if where else (axes.index(left[0]) if left else len(axes)), right))
    order = tuple(axis for _, right in sorted(placed, key=lambda p: p[0]) for axis in right)
    return tuple(after[a] for a in order), order


def gathered(before: tuple[int, ...], after: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Our axes with those that a reshape joins or parts side by side, the others left where they are.

    >>> gathered((8, 24, 2, 14, 14), (8, 48, 14, 14), (0, 3, 4, 2, 1))
    (0, 3, 4, 1, 2)
    """
    runs = [left for left, _ in groups(before, after) if left]
    runs.sort(key=lambda run: min((axes.index(a) for a in run if before[a] != 1), default=axes.index(run[0])))
    return tuple(a for run in runs for a in run)


def reshape_to(before: tuple[int, ...], after: tuple[int, ...], batch: int = BATCH) -> Any:
    """The layer that reshapes, its batch left free."""
    if after[0] == before[0] == batch:
        rest = after[1:]
        return word("flatten") if len(rest) == 1 and len(before) > 2 else word("reshape")(*rest)
    free = [n if n % BATCH else -1 for n in after]
    if free.count(-1) > 1:
        raise PortError(f"a reshape with the batch in one axis, got {before} to {after}")
    return word("reshape")(*free, batch=False)
