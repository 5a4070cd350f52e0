"""The code of the pages in docs/ runs, in order, and prints what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compose.core.registry import known
from tests.blocks import run_blocks

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
def test_porting(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    assert run_blocks(DOCS / "porting.md", monkeypatch) >= 7


def test_the_tables_name_words_of_ours():
    section = (DOCS / "porting.md").read_text().partition("## Layers and their defaults")[2].partition("## Pitfalls")[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    words = [word for cell in firsts for word in re.findall(r"`([a-z_0-9]+)[`(]", cell)]
    assert len(words) > 40 and [word for word in words if not known(word)] == []
