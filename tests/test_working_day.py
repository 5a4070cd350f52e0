"""The tasks of `benchmarks/working_day.py` take no more lines here than in Keras."""

from __future__ import annotations

from pathlib import Path

from benchmarks.working_day import tasks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "features.md"


def test_no_more_lines_than_in_keras():
    found = tasks()
    assert len(found) > 20
    longer = {name: lines for name, (_, _, lines) in found.items() if not 0 < lines["ours"] <= lines["keras"]}
    assert not longer and all(title for _, title, _ in found.values())


def test_the_page_has_the_lines():
    page = PAGE.read_text()
    rows = [f"| {title} | {lines['ours']} | {lines['keras']} |" for _, title, lines in tasks().values()]
    assert not [row for row in rows if row not in page], "python benchmarks/working_day.py --count prints the table"
