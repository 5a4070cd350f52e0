"""Compiled programs in a folder: another process finds them, and JAX's configuration is as before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from compose import LayerError, fc
from compose.train.disk_cache import disk_cache

SCRIPT = """
import sys
import jax, numpy as np
from jax import monitoring
from compose import batch_norm, compose_seq, fc, relu

counts = {"hits": 0, "requests": 0}
def listen(event, **_):
    counts["hits"] += event == "/jax/compilation_cache/cache_hits"
    counts["requests"] += event == "/jax/compilation_cache/compile_requests_use_cache"
monitoring.register_event_listener(listen)
x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
net = compose_seq(fc(8), batch_norm(), relu, fc(1))
trained = net.fit(x, x[:, :1], loss="mse", epochs=2, batch_size=16, cache=sys.argv[1], verbose=False)
print(counts["hits"], counts["requests"], repr(trained.history[-1]["loss"]))
"""


@pytest.mark.slow
def test_a_second_process_compiles_nothing(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    told = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "cache")],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.append(done.stdout.split())
    (hits, requests, loss), (hits_after, requests_after, loss_after) = told
    assert int(hits) == 0 and int(requests) > 3
    assert int(hits_after) == int(requests_after) == int(requests)
    assert loss == loss_after


def test_the_configuration_is_as_before(tmp_path):
    names = [n for n in jax.config.values if "cache" in n]
    before = {name: getattr(jax.config, name) for name in names}
    with disk_cache(tmp_path / "a" / "b"):
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "a" / "b")
    assert {name: getattr(jax.config, name) for name in names} == before
    with pytest.raises(ZeroDivisionError), disk_cache(tmp_path):
        1 / 0
    assert {name: getattr(jax.config, name) for name in names} == before
    with disk_cache(None):
        assert {name: getattr(jax.config, name) for name in names} == before


def test_programs_go_to_the_folder_only_inside(tmp_path):
    with disk_cache(tmp_path):
        jax.jit(lambda a: a * 3.25 + 1)(np.ones(7)).block_until_ready()
    inside = {p.name for p in tmp_path.iterdir()}
    assert inside
    jax.jit(lambda a: a * 4.25 + 1)(np.ones(7)).block_until_ready()
    assert {p.name for p in tmp_path.iterdir()} == inside


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    x = np.ones((4, 1), np.float32)
    with pytest.raises(LayerError, match="cache to be a folder"):
        fc(1).fit(x, x, loss="mse", batch_size=2, cache=tmp_path / "file", verbose=False)
