"""Joining the other processes: what is missing is said, and nothing is joined twice."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import pytest

from compose.core.errors import ConfigError
from compose.distributed import start
from compose.distributed.environment import Place
from compose.distributed.start import _own_gpu
from tests.processes import free_port, run


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SLURM", "OMPI", "JAX_COORD", "JAX_NUM_PROC", "JAX_PROCESS", "CUDA_VISIBLE", "ROCR")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environ", "arguments", "says"),
    [
        ({}, {}, "coordinator, num_processes, process_id for compose.distributed.start.., got none of the variables"),
        ({"JOB_COMPLETION_INDEX": "1"}, {}, "coordinator, num_processes for .* JOB_COMPLETION_INDEX=1; Kubernetes"),
        ({"JAX_NUM_PROCESSES": "2"}, dict(process_id=0), "coordinator for .* JAX_NUM_PROCESSES=2"),
        ({}, dict(coordinator="a:1", num_processes=2, process_id=2), "process_id from 0 to 1"),
        ({}, dict(coordinator="a:1", num_processes=2, process_id="0"), "process_id to be an integer"),
        ({}, dict(coordinator="node", num_processes=2, process_id=0), "coordinator as host:port"),
        ({}, dict(coordinator="node:99999", num_processes=2, process_id=0), "coordinator as host:port"),
    ],
)
def test_what_is_missing_is_said(monkeypatch, environ, arguments, says):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=says):
        start(**arguments)


def test_after_jax_was_used_it_is_too_late():
    jax.devices()
    with pytest.raises(ConfigError, match="before anything else uses JAX"):
        start("127.0.0.1:1", 1, 0)


@pytest.mark.parametrize(
    ("place", "environ", "own"),
    [
        (Place(local=3, beside=4), {}, [3]),
        (Place(local=0, beside=1), {}, None),
        (Place(), {}, None),
        (Place(local=1, beside=2), {"CUDA_VISIBLE_DEVICES": "0,1"}, [1]),
        (Place(local=1, beside=2), {"CUDA_VISIBLE_DEVICES": "1"}, None),
        (Place(local=1, beside=2), {"JAX_LOCAL_DEVICE_IDS": "0"}, None),
    ],
)
def test_the_gpu_of_a_process(monkeypatch, place, environ, own):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert _own_gpu(place) == own


ALONE = """
import compose, jax
place = compose.distributed.start(coordinator="127.0.0.1:{port}", num_processes=1, process_id=0)
assert place.source == "arguments" and place is compose.distributed.start() is compose.distributed.start(process_id=0)
try:
    compose.distributed.start(num_processes=2)
except compose.LayerError as e:
    print(str(e).splitlines()[0])
"""


@pytest.mark.slow
def test_it_is_joined_once():
    program = ALONE.format(port=free_port())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert "expected num_processes=1, with which this process has started, got num_processes=2" in done.stdout, done


@pytest.mark.slow
def test_others_that_do_not_come():
    program = f"import compose; compose.distributed.start('127.0.0.1:{free_port()}', 2, 1, timeout=3)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode != 0 and ("2 processes that meet at" in done.stderr or "DEADLINE" in done.stderr), done


@pytest.mark.slow
def test_the_command_line_trains_in_two_processes(tmp_path):
    """One of them prints and writes."""
    out = tmp_path / "model.safetensors"
    net = "compose_seq(flatten, fc(8, relu), fc(3))"
    command = ["-m", "compose.cli", "train", net, "--data", "iris", "--epochs", "2", "--distributed", "-o", str(out)]
    first, second = run(command)
    assert f"wrote {out}" in first and "epoch 2/2" in first
    assert "wrote" not in second and "epoch" not in second
    alone = tmp_path / "alone.safetensors"
    run([*(a for a in command[:-1] if a != "--distributed"), str(alone)], count=1)
    from compose import load

    a, b = load(out), load(alone)
    assert abs(a.history[-1]["loss"] - b.history[-1]["loss"]) < 1e-5
    assert jax.tree.all(jax.tree.map(lambda p, q: abs(p - q).max() < 1e-5, a.params, b.params))
