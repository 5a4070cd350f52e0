"""The names of inputs and outputs in files of every format."""

from __future__ import annotations


def labels(letter: str, count: int) -> list[str]:
    """`x` for one array, `x0`, `x1`, ... for several.

    >>> labels("x", 1), labels("y", 2)
    (['x'], ['y0', 'y1'])
    """
    return [letter] if count == 1 else [f"{letter}{i}" for i in range(count)]
