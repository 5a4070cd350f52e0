"""The code of the pages in docs/ runs, in order, and prints what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compose.core.registry import known
from tests.blocks import run_blocks
from tests.processes import run

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
def test_porting(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    assert run_blocks(DOCS / "porting.md", monkeypatch) >= 7


def test_design(monkeypatch):
    assert run_blocks(DOCS / "design.md", monkeypatch) == 1


@pytest.mark.slow
def test_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_blocks(DOCS / "training.md", monkeypatch) >= 14


@pytest.mark.slow
def test_looking(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_blocks(DOCS / "looking.md", monkeypatch) == 3
    assert {p.suffix for p in tmp_path.iterdir()} == {".png", ".html", ".svg"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # onnxruntime warns as it quantizes
def test_export(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("flatbuffers")
    pytest.importorskip("torch")
    pytest.importorskip("flax")
    pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert run_blocks(DOCS / "export.md", monkeypatch) == 4


@pytest.mark.slow
def test_serving(tmp_path, monkeypatch):
    pytest.importorskip("fastapi")
    monkeypatch.chdir(tmp_path)
    assert run_blocks(DOCS / "serving.md", monkeypatch) == 3


@pytest.mark.slow
def test_scaling(tmp_path):
    """In two processes, as the page says."""
    program = (
        "import os, sys, pathlib, pytest; from tests.blocks import run_blocks; os.chdir(sys.argv[2]); "
        "assert run_blocks(pathlib.Path(sys.argv[1]), pytest.MonkeyPatch()) == 1"
    )
    run(["-c", program, str(DOCS / "scaling.md"), str(tmp_path)])
    assert {"run", "model.safetensors"} == {p.name for p in tmp_path.iterdir()}


def test_design_names_folders_that_exist():
    page = (DOCS / "design.md").read_text()
    root = DOCS.parent / "compose"
    around, porting = page.partition("## Porting")[::2]
    names = [
        n for line in around.splitlines() if line.startswith("| `") for n in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    inner = [
        n
        for line in porting.splitlines()
        if line.startswith("| `")
        for n in re.findall(r"`([a-z_]+)`", line.split("|")[1])
    ]
    assert set(names) == {p.name for p in root.iterdir() if p.is_dir() and p.name != "port"} - {"__pycache__"} | {
        "port"
    }
    assert {p.name for p in (root / "port").iterdir() if (p / "__init__.py").exists()} <= {*inner, "frontends"}


def test_the_tables_name_words_of_ours():
    section = (DOCS / "porting.md").read_text().partition("## Layers and their defaults")[2].partition("## Pitfalls")[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    words = [word for cell in firsts for word in re.findall(r"`([a-z_0-9]+)[`(]", cell)]
    assert len(words) > 40 and [word for word in words if not known(word)] == []


@pytest.mark.slow
def test_features(tmp_path, monkeypatch):
    """Each line of the table runs."""
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "features.md").read_text()
    names: dict = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    lines = [row.split(" | `", 1)[1].split("` | ", 1)[0] for row in page.splitlines() if " | `" in row]
    assert len(lines) > 40
    for line in lines:
        try:
            exec(line, names)
        except Exception as e:
            raise AssertionError(line) from e
