"""The tasks of `benchmarks/working_day.py` take no more lines here than in Keras."""

from __future__ import annotations

from benchmarks.working_day import tasks


def test_no_more_lines_than_in_keras():
    found = tasks()
    assert len(found) > 20
    longer = {name: lines for name, (_, _, lines) in found.items() if not 0 < lines["ours"] <= lines["keras"]}
    assert not longer and all(title for _, title, _ in found.values())
