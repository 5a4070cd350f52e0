"""Training on eight forced devices is training on one, and each device has its share of the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from compose import compose_seq, fc, relu
from compose.core.errors import ConfigError

X = np.linspace(-1, 1, 32, dtype=np.float32).reshape(8, 4)
NET = compose_seq(fc(8, relu), fc(2))

# of each layout, the most that a device keeps of parameters and optimizer, and the most FLOPs of a step
SHARES = {"replicated": (1, 0.51), "mesh": (1, 0.31), "fsdp": (0.2, 0.15), "tensor": (0.6, 0.21), "rules": (0.66, 0.21)}


def run(*cases):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    program = [sys.executable, "-m", "tests.train.on_eight_devices", *cases]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found, most=1e-13):
    _, layout, *_ = found["case"].split("/")
    kept, flops = SHARES[layout]
    assert found["different"] < most
    assert found["compiled_again"] == 0
    assert found["bytes"] <= kept
    assert found["even"] <= flops and found["ragged"] <= flops
    assert found["on"] == (1 if kept == 1 else 8)


@pytest.mark.slow
def test_each_layout():
    for found in run(*(f"mlp/{layout}" for layout in SHARES)):
        check(found)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["cnn", "recurrent", "transformer"])
def test_families(network):
    """Adam scales the rounding that is all of the key bias's gradient, so a transformer is less close."""
    layouts = {"cnn": ("fsdp",), "recurrent": ("replicated",), "transformer": ("fsdp", "tensor")}[network]
    for found in run(*(f"{network}/{layout}" for layout in layouts)):
        check(found, 1e-11 if network == "transformer" else 1e-13)


@pytest.mark.slow
def test_options_of_fit():
    half, *others = run("mlp/fsdp/half", "mlp/tensor/regime", "mlp/replicated/weights", "mlp/replicated/streamed")
    check(half, 1e-4)
    for found in others:
        check(found)


@pytest.mark.slow
def test_streams_and_checkpoints_that_go_on_with_another_layout():
    (found,) = run("stream")
    assert found["different"] < 1e-13


@pytest.mark.slow
def test_uneven_batches_on_grids():
    """XLA adds the gradient of padded ids to row 0 of a table where other axes of the mesh hold copies of the part."""
    (found,) = run("table")
    assert found["different"] < 1e-13


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(devices=64), "as many as JAX sees"),
        (dict(devices=0), "devices as a number"),
        (dict(devices="some"), "devices as a number"),
        (dict(devices={}), "devices as a number"),
        (dict(mesh="all"), "jax.make_mesh"),
        (dict(sharding="fsdp"), "devices= or mesh= beside sharding="),
        (dict(devices=1, mesh=jax.make_mesh((1,), ("data",))), "got both"),
        (dict(devices=1, sharding="zero"), "'replicated', 'fsdp', 'tensor'"),
        (dict(devices=1, sharding={"fc_2/kernel": ("data",)}), "fit the path of a parameter"),
        (dict(devices=1, sharding={"**/kernel": ("rows",)}), "axes of the mesh, {'data': 1}"),
        (dict(devices=1, sharding={"**/bias": ("data", None)}), r"at most 1 axes in the sharding of fc_0/bias \(8,\)"),
        (dict(devices=1, sharding=3), "a name or a dict"),
    ],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        NET.fit(X, X[:, :2], loss="mse", verbose=False, **options)


def test_devices_of_another_process_alone_are_refused(monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ConfigError, match="devices of every one of 2 processes, or of this one alone"):
        NET.fit(X, X[:, :2], loss="mse", verbose=False, devices=1)


def test_one_device():
    a, b = (NET.fit(X, X[:, :2], loss="mse", verbose=False, **options) for options in ({}, dict(devices=1)))
    assert jax.tree.all(jax.tree.map(lambda p, q: np.allclose(p, q, atol=1e-7), a.params, b.params))


def test_going_on_with_other_devices():
    mesh = jax.make_mesh((1,), ("data",))
    first = NET.fit(X, X[:, :2], loss="mse", verbose=False, mesh=mesh, sharding="fsdp")
    again = first.fit(X, X[:, :2])
    assert again.session.options["mesh"] is mesh and again.session.options["sharding"] == "fsdp"
    other = again.fit(X, X[:, :2], devices=1)
    assert other.session.options.get("mesh") is None and other.session.options.get("sharding") is None
    assert len(other.history) == 3
