"""How many steps one call runs."""

from __future__ import annotations

from compose.train.epoch import CALL_SECONDS, StepsPerCall


def test_calls_grow_to_a_time_a_person_can_wait_for():
    calls, runs = StepsPerCall(), []
    for _ in range(10):
        runs.append(calls.steps)
        calls.update(calls.steps, calls.steps * 1e-3)
    assert runs[0] < runs[1] < runs[-1] == int(CALL_SECONDS / 1e-3)
    calls.update(1, 10.0)
    assert calls.steps == 1
