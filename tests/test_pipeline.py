"""The pipeline of examples/pipeline: its stages run in order, and write what dvc.yaml says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "pipeline"


def stages() -> list[tuple[str, list[str], list[str]]]:
    """Of each stage the command, what it reads and what it writes."""
    found = []
    for stage in re.split(r"\n  (?=\w+:\n)", (FOLDER / "dvc.yaml").read_text())[1:]:
        lists = dict(re.findall(r"^    (\w+): (.*)$", stage, re.MULTILINE))
        files = lambda *names: re.findall(r"[\w/]+\.\w+", " ".join(lists.get(n, "") for n in names))  # noqa: B023
        found.append((lists["cmd"], files("deps"), files("outs", "metrics", "plots")))
    return found


@pytest.mark.slow
def test_the_stages_run_in_order(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("fastapi")
    for path in FOLDER.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    assert len(stages()) == 5
    for command, reads, writes in stages():
        assert reads and all((tmp_path / name).exists() for name in reads), command
        words = command.split()
        words = [sys.executable, *(["-m", "compose.cli"] if words[0] == "compose" else []), *words[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert writes and all((tmp_path / name).exists() for name in writes), command
    assert json.loads((tmp_path / "metrics.json").read_text())["accuracy"] > 0.9
    assert json.loads((tmp_path / "service.json").read_text())["requests"] == 50
    names = {word for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| `")
             for word in re.findall(r"`([\w/]+\.\w+)`", line)}  # fmt: skip
    assert names == {name for _, reads, writes in stages() for name in (*reads, *writes)} - {
        path.name for path in FOLDER.iterdir()
    }
