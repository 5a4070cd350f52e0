"""How far a test proves each of its cases: gradients in the fast suite, training steps in the slow one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def proofs(cases: Iterable[str], argument: str = "name", first: str = "gradients") -> pytest.MarkDecorator:
    """Parametrize a test by case and `level`.

    Each case is proven to `"gradients"`, and to `"steps"` in the slow suite. With `first="steps"`, as the main test of
    each front end has it, the first case is proven to `"steps"` in the fast suite too.
    """
    params = []
    for i, case in enumerate(cases):
        always = first if i == 0 else "gradients"
        params.append(pytest.param(case, always, id=f"{case}-{always}"))
        if always != "steps":
            params.append(pytest.param(case, "steps", id=f"{case}-steps", marks=pytest.mark.slow))
    return pytest.mark.parametrize((argument, "level"), params)
