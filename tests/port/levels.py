"""How far a test proves each of its cases: the first one in the fast suite, the others in the slow one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def proofs(cases: Iterable[str], argument: str = "name", level: str = "gradients") -> pytest.MarkDecorator:
    """Parametrize a test by case and `level`.

    A proof to `"steps"`, which includes the gradients, takes nearly twice as long: it is for the main test of each
    front end, and for models that train otherwise than they infer.
    """
    first, *others = cases
    slow = [pytest.param(case, level, id=f"{case}-{level}", marks=pytest.mark.slow) for case in others]
    return pytest.mark.parametrize((argument, "level"), [pytest.param(first, level, id=f"{first}-{level}"), *slow])
