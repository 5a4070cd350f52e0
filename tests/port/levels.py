"""How far a test proves each of its cases: gradients in the fast suite, training steps in the slow one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def proofs(cases: Iterable[str], argument: str = "name") -> pytest.MarkDecorator:
    """Parametrize a test by case and `level`.

    The first case of a file is proven to `"steps"` always. The others are proven to `"gradients"`, and to `"steps"` in
    the slow suite.
    """
    params = []
    for i, case in enumerate(cases):
        if i:
            params.append(pytest.param(case, "gradients", id=f"{case}-gradients"))
        params.append(pytest.param(case, "steps", id=f"{case}-steps", marks=[pytest.mark.slow] if i else []))
    return pytest.mark.parametrize((argument, "level"), params)
