from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _double(x64):
    """Proofs are in float64."""
