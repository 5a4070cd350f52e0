"""StableHLO files: run without this package, for every batch size, with no trace of the machine that wrote them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from compose import batch_norm, compose_seq, conv, embedding, fc, flatten, learned_positions, lstm, relu, reshape, spec
from compose.export import ExportError, to_stablehlo

pytest.importorskip("flatbuffers")

NET = compose_seq(conv(4, 3, relu, stride=2), batch_norm(), flatten, fc(3))
PARAMS, STATE = NET.init(0, (8, 8, 2))
X = np.random.default_rng(0).normal(size=(5, 8, 8, 2)).astype(np.float32)

ALONE = """
import sys
import jax, numpy as np
from jax import export
with open(sys.argv[1], "rb") as file:
    program = export.deserialize(bytearray(file.read()))
np.save(sys.argv[3], program.call(np.load(sys.argv[2])))
assert "compose" not in sys.modules
"""


@pytest.mark.slow
def test_runs_in_a_process_without_this_package(tmp_path: Path):
    report = to_stablehlo(NET, PARAMS, STATE, spec(8, 8, 2), tmp_path / "net.stablehlo").report
    np.save(tmp_path / "x.npy", X)
    files = [str(tmp_path / name) for name in ("net.stablehlo", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", ALONE, *files], check=True, cwd=tmp_path, env={"JAX_PLATFORMS": "cpu"})
    want = NET.apply(PARAMS, STATE, X)[0]
    assert np.abs(np.load(files[2]) - want).max() < 1e-5
    assert report is not None and [row.batch for row in report.rows] == [1, 3, 8]


def test_is_one_file_for_every_platform_without_paths():
    made = to_stablehlo(NET, PARAMS, STATE, spec(8, 8, 2))
    assert set(made.program.platforms) == {"cpu", "cuda", "rocm", "tpu"}
    assert b".py" not in made.data and str(Path(__file__).parents[2]).encode() not in made.data
    assert "StableHLO for cpu" in str(made)


def test_tables_are_looked_up():
    net = compose_seq(embedding(9, 4), learned_positions(5), flatten, fc(2))
    params, state = net.init(0, spec(5, dtype=int))
    made = to_stablehlo(net, params, state, spec(5, dtype=int), platforms=("cpu",))
    assert made.report is not None and made.report.largest < 1e-6


def test_weights_may_lie_beside_it():
    made = to_stablehlo(NET, PARAMS, STATE, spec(8, 8, 2), weights="beside", platforms=("cpu",))
    loaded = jax.export.deserialize(bytearray(made.data))
    other = jax.tree.map(lambda a: a * 2, PARAMS)
    assert np.allclose(loaded.call(other, STATE, X), NET.apply(other, STATE, X)[0], atol=1e-5)


def test_a_network_for_one_batch_size_alone_says_so():
    net = compose_seq(reshape(4, 5, batch=False), fc(2))
    params, state = net.init(0, np.ones((4, 5), np.float32))
    with pytest.raises(ExportError, match="batch=1"):
        to_stablehlo(net, params, state, np.ones((4, 5), np.float32))
    made = to_stablehlo(net, params, state, np.ones((4, 5), np.float32), batch=4)
    assert made.report is not None and [row.batch for row in made.report.rows] == [4]


def test_several_inputs_and_sequences():
    net = lstm(3, return_carry=True)
    params, state = net.init(0, (6, 2))
    made = to_stablehlo(net, params, state, spec(6, 2))
    assert made.report is not None and made.report.largest < 1e-6
