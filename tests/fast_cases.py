"""Which cases of parametrised tests the fast suite runs; the others are marked `slow`.

- Every case prints and parses.
- The suites over all layers: the first case of each word is compared with its reference and its plan; the first case
  of every twelfth word goes through finite differences, every transformation and into a file.
- Any other test: its first case.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

OF_EVERY_CASE = ("test_prints_and_parses", "test_prints_parses_and_plans", "test_is_the_function_of_jax")
OF_EVERY_WORD = (
    "test_float64_is_the_reference",
    "test_the_plan_is_what_runs",
    "test_inference",
)
EVERY = 12


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    counts: Counter[Any] = Counter()
    words: dict[str, list[str]] = {}
    for item in items:
        callspec: Any = getattr(item, "callspec", None)
        name = item.nodeid.partition("[")[0]
        if callspec is None or item.get_closest_marker("slow") or name.endswith(OF_EVERY_CASE):
            continue
        word = _word(callspec.params)
        if word is None:
            group, most = name, 1
        else:
            seen = words.setdefault(name, [])
            if word not in seen:
                seen.append(word)
            runs = name.endswith(OF_EVERY_WORD) or seen.index(word) % EVERY == 0
            others = tuple(str(value) for value in callspec.params.values() if _layer(value) is None)
            group, most = (name, word, others), int(runs)
        counts[group] += 1
        if counts[group] > most:
            item.add_marker(pytest.mark.slow)


def _word(params: dict[str, Any]) -> str | None:
    """The word of the layer that a case is about, in the suites over all layers."""
    return next((layer.kind for layer in map(_layer, params.values()) if layer is not None), None)


def _layer(value: Any) -> Any:
    return getattr(value, "layer", None) if type(value).__name__ in ("Case", "Subject") else None
