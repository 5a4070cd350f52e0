"""A port as a folder: the text, the weights, the report, and a test that needs nothing but `compose`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from compose.port.bundle.golden import record
from compose.port.bundle.source_file import write_source
from compose.port.proof.report import Report
from compose.port.result import Result
from compose.train import Trained

TEST = '''"""The port still computes what its source did: outputs and gradients, recorded in golden.npz."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import compose

HERE = Path(__file__).parent


def test_port():
    golden = np.load(HERE / "golden.npz")
    trained = compose.load(HERE / "weights.safetensors")
    scope = {}
    exec((HERE / "model.py").read_text(), scope)
    assert scope["net"] == trained.net
    with jax.enable_x64(True):
        wide = lambda tree: jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), tree)
        params, state = wide(trained.params), wide(trained.state)
        inputs = [golden[f"input {i}"] for i in range(int(golden["inputs"]))]
        forward = lambda params: jax.tree.leaves(trained.net.apply(params, state, *inputs)[0])
        outputs, pull = jax.vjp(jax.jit(forward), params)
        for i, y in enumerate(outputs):
            close(y, golden[f"output {i}"])
        (grads,) = pull([golden[f"cotangent {i}"] for i in range(len(outputs))])
        for path, g in jax.tree_util.tree_leaves_with_path(grads):
            name = "/".join(str(key.key) for key in path)
            close(np.sum(np.asarray(g) * projection(name, g.shape)), golden[f"gradient {name}"])


def projection(name, shape):
    return np.random.default_rng(list(name.encode())).normal(size=shape)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * max(1.0, float(np.max(np.abs(theirs)))))
'''


def save(port: Result, folder: Path, source: str, report: Report) -> None:
    """Write a port to a folder; see `Ported.save`.

    Args:
        source: the Python code of the network.
        report: its proof.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(source)
    (folder / "report.json").write_text(report.json())
    (folder / "weights.txt").write_text(f"{port.weights}\n")
    Trained(port.net, port.params, port.state, (), port.specs()).save(folder / "weights.safetensors")
    write_source(port, folder / "source.safetensors")
    golden: dict[str, Any] = record(port, report.seed)
    np.savez_compressed(folder / "golden.npz", **golden)
    (folder / "test_port.py").write_text(TEST)
