"""Training in the workers of a Ray cluster."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import compose
from compose.core.errors import ConfigError

PROGRAM = """
import os, sys, tempfile
os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import numpy as np
import ray
import compose
from compose import batch_norm, compose_seq, dropout, fc, relu

x = np.random.default_rng(0).normal(size=(42, 8)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int32)
net = compose_seq(fc(16, relu), batch_norm(), dropout(0.1), fc(2))

def together(event):
    assert jax.process_count() == 2 and jax.device_count() == 4

options = dict(loss="cross_entropy", epochs=2, batch_size=16, verbose=False)
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as short:  # the path of a socket has 107 bytes at most
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", _temp_dir=short)
    try:
        many = compose.ray.fit(
            net, x, y, workers=2, storage=sys.argv[1] + "/results", callbacks=[together], **options
        )
    finally:
        ray.shutdown()
one = net.fit(x, y, **options)
pairs = zip(jax.tree.leaves((one.params, one.state)), jax.tree.leaves((many.params, many.state)), strict=True)
gap = max(abs(np.asarray(a) - np.asarray(b)).max() for a, b in pairs)
assert gap < 1e-5, gap
assert len(many.history) == 2 and abs(many.history[1]["loss"] - one.history[1]["loss"]) < 1e-5
print("gap", gap)
"""


@pytest.mark.slow
@pytest.mark.own_environment("ray")
def test_two_workers_train_as_one_process(tmp_path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    kept |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_METRICS_COLLECTION": "1", "JAX_NUM_CPU_DEVICES": "2"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=300, check=False)
    assert "gap" in done.stdout, done.stdout[-2000:] + done.stderr[-4000:]


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"the package ray .*\n.*compose-jax\[ray\]"):
        compose.ray.fit(compose.fc(1), [[1.0]], [[1.0]], workers=2, loss="mse")
