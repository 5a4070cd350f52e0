"""Which cases of parametrised tests the fast suite runs; the others are marked `slow`.

- Front ends: the first two cases of each test.
- The suite over all layers: each word's first case goes through every transformation. Of the others the fast suite
  checks the text, the reference and the plan.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

FRONT_ENDS, CASES = "tests/port/frontends/", 2
EVERY_LAYER = "tests/layers/test_every_layer.py"
OF_EVERY_CASE = ("test_prints_and_parses", "test_float64_is_the_reference", "test_the_plan_is_what_runs")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    counts: Counter[Any] = Counter()
    for item in items:
        callspec: Any = getattr(item, "callspec", None)
        if callspec is None or item.get_closest_marker("slow"):
            continue
        function = item.nodeid.partition("[")[0]
        if function.startswith(FRONT_ENDS):
            group, most = function, CASES
        elif function.startswith(EVERY_LAYER) and "subject" in callspec.params:
            if function.endswith(OF_EVERY_CASE):
                continue
            group, most = (function, callspec.params["subject"].layer.kind), 1
        else:
            continue
        counts[group] += 1
        if counts[group] > most:
            item.add_marker(pytest.mark.slow)
