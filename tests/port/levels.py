"""How far a test proves each of its cases: one in the fast suite, and all to training steps in the slow one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def proofs(cases: Iterable[str], argument: str = "name", first: str = "gradients") -> pytest.MarkDecorator:
    """Parametrize a test by case and `level`.

    Every case is proven to `"steps"`, which includes the gradients, in the slow suite. The first case is proven in the
    fast suite to the level `first`: `"steps"` in the main test of each front end.
    """
    every = list(cases)
    fast = [pytest.param(every[0], first, id=f"{every[0]}-{first}")]
    slow = every if first != "steps" else every[1:]
    return pytest.mark.parametrize(
        (argument, "level"),
        [*fast, *(pytest.param(case, "steps", id=f"{case}-steps", marks=pytest.mark.slow) for case in slow)],
    )
