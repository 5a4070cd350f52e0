"""Warnings name the line of the user, however deep in the package they come up."""

from __future__ import annotations

import numpy as np
import pytest

from compose import fc
from compose.core import run


def test_the_users_line_is_named(monkeypatch):
    for call in (
        lambda x: fc(1).fit(x, x, loss="mse", verbose=False), lambda x: fc(1).init(0, x),
        lambda x: fc(1).fit(lambda: [(x, x)], loss="mse", verbose=False),
    ):  # fmt: skip
        monkeypatch.setattr(run, "_warned", set())
        with pytest.warns(UserWarning, match="float64 input is computed as float32") as found:
            call(np.ones((4, 1)))
        assert [w.filename for w in found] == [__file__]
