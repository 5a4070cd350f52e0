"""A saved port where nothing of its source's framework can be imported: proven, loaded, its weights back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from compose import port
from compose.core.errors import FileError, PortError
from tests.port.bundle.test_round_trip import ported_keras, ported_torch

ALONE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "keras", "tensorflow", "torchvision"):
            raise ImportError(name + " is not here")

sys.meta_path.insert(0, Blocked())
folder = sys.argv[1]
sys.path.insert(0, folder)
import test_port
test_port.test_port()

import numpy as np
from compose import port
p = port.load(folder)
assert p.source == open(folder + "/model.py").read()
params, state = p.load_checkpoint(folder + "/checkpoint.safetensors")
np.savez(folder + "/back.npz", **p.to_source(params, state))
assert not {"torch", "keras", "tensorflow"} & set(sys.modules)
"""


def alone(folder: Path) -> subprocess.CompletedProcess:
    root = str(Path(__file__).parents[3])
    return subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)], capture_output=True, text=True, cwd=root, env={"PYTHONPATH": root}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [lambda: ported_torch("repeated attention")[0], lambda: ported_keras("cnn")[0]],
    ids=["torch", "keras"],
)
def test_it_is_proven_and_loaded_without_the_framework(make, tmp_path):
    from safetensors.numpy import save_file

    p = make()
    p.save(tmp_path)
    arrays = {name: np.asarray(a) * 2 for name, a in p.graph.arrays.items()}
    save_file(arrays, tmp_path / "checkpoint.safetensors")
    done = alone(tmp_path)
    assert done.returncode == 0, done.stderr
    back = np.load(tmp_path / "back.npz")
    assert set(back) == set(arrays) and all(np.array_equal(back[name], a) for name, a in arrays.items())
    golden = dict(np.load(tmp_path / "golden.npz"))
    np.savez(tmp_path / "golden.npz", **{**golden, "output 0": golden["output 0"] + 1e-6})
    assert "test_port.py" in alone(tmp_path).stderr


def test_a_loaded_port_is_the_one_that_was_saved(tmp_path):
    p, model, _ = ported_torch("repeat")
    p.save(tmp_path)
    q = port.load(tmp_path)
    assert (q.net, q.weights, q.source, q.specs()) == (p.net, p.weights, p.source, p.specs())
    same = jax.tree.map(lambda a, b: bool((a == b).all()), (q.params, q.state), (p.params, p.state))
    assert all(jax.tree.leaves(same))
    model.load_state_dict(q.to_torch_state_dict(q.params), strict=True)
    assert q.verify("weights").ok
    with pytest.raises(PortError, match="port it again"):
        q.verify("outputs")


@pytest.mark.slow
def test_files_of_two_ports_are_not_one(tmp_path):
    for name in ("cnn", "unet"):
        ported_torch(name)[0].save(tmp_path / name)
    (tmp_path / "cnn" / "source.safetensors").write_bytes((tmp_path / "unet" / "source.safetensors").read_bytes())
    with pytest.raises(FileError, match="not the map of"):
        port.load(tmp_path / "cnn")
    data = bytearray((tmp_path / "unet" / "source.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "unet" / "source.safetensors").write_bytes(data)
    with pytest.raises(FileError, match="damaged"):
        port.load(tmp_path / "unet")
