"""The process beside: what it refuses, what it dies of, and that it goes with this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compose.export.litert.process import Refused, Worker

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

ENDS = """
from compose.export.litert import process
try:
    process.ask("run", model="/nowhere", given="", made="")
except process.Refused as error:
    print(process._running[0].process.pid, error)
"""


@pytest.mark.slow
def test_an_error_is_answered_and_a_death_is_told():
    worker = Worker()
    with pytest.raises(Refused, match="No such file"):
        worker.ask({"do": "run", "model": "/nowhere", "given": "/nowhere.npz", "made": ""})
    worker.process.kill()
    with pytest.raises(Refused, match="a crash of"):
        worker.ask({"do": "run", "model": "", "given": "", "made": ""})
    assert worker.log.closed


@pytest.mark.slow
def test_it_ends_with_the_process_that_started_it():
    done = subprocess.run([sys.executable, "-W", "default", "-c", ENDS], capture_output=True, text=True, check=True)
    assert not Path("/proc", done.stdout.split()[0]).exists()
    assert "ResourceWarning" not in done.stderr
