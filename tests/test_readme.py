"""The README's code runs, in order, and prints what it says."""

from __future__ import annotations

from pathlib import Path

from tests.blocks import run_blocks

README = Path(__file__).parent.parent / "README.md"


def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_blocks(README, monkeypatch) >= 6
