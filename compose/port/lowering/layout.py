"""Reshapes in our layout: which of the source's axes join or split, and whether ours can without moving."""

from __future__ import annotations

import math
from collections.abc import Callable

from compose.core.errors import PortError
from compose.core.layer import Layer, as_layer
from compose.core.registry import word


def groups(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes with equally many elements, before and after.

    >>> groups((8, 3, 4), (8, 12))
    [([0], [0]), ([1, 2], [1])]
    """
    runs: list[tuple[list[int], list[int]]] = []
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
        runs.append((left, right))
    return _with_lone_ones(runs)


def _with_lone_ones(runs: list[tuple[list[int], list[int]]]) -> list[tuple[list[int], list[int]]]:
    """Runs of axes of length 1 without a counterpart join the run before them."""
    joined: list[tuple[list[int], list[int]]] = []
    for left, right in runs:
        if joined and not (left and right):
            joined[-1] = (joined[-1][0] + left, joined[-1][1] + right)
        else:
            joined.append((left, right))
    return joined


def reshape_in_place(
    before: tuple[int, ...], after: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The target shape and its axes in our layout for a reshape of the source; None if axes must move first.

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
    """Our axes with those side by side that a reshape joins or splits; the others stay.

    >>> gathered((8, 24, 2, 14, 14), (8, 48, 14, 14), (0, 3, 4, 2, 1))
    (0, 3, 4, 1, 2)
    """
    runs = [left for left, _ in groups(before, after) if left]
    runs.sort(key=lambda run: min((axes.index(a) for a in run if before[a] != 1), default=axes.index(run[0])))
    return tuple(a for run in runs for a in run)


def reshape_to(before: tuple[int, ...], after: tuple[int, ...], batch: int, free: Callable[[int], bool]) -> Layer:
    """The layer that reshapes, for any batch size.

    Args:
        batch: the size of the batch.
        free: whether a size follows from it.
    """
    sizes = [-1 if free(n) else n for n in after]
    kept = after[0] == before[0] == batch
    if sizes[kept:].count(-1) > 1:
        raise PortError(f"a reshape with the batch in one axis, got {before} to {after}")
    if kept:
        rest = sizes[1:]
        return as_layer(word("flatten")) if len(rest) == 1 and len(before) > 2 else word("reshape")(*rest)
    return word("reshape")(*sizes, batch=False)
