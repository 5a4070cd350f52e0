"""SavedModels: run by TensorFlow alone, for every batch size, under the names of the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from compose import (
    batch_norm,
    compose_seq,
    concat,
    conv,
    fc,
    flatten,
    graph,
    ops,
    relu,
    repeat,
    reshape,
    residual,
    spec,
)
from compose.core.errors import ConfigError
from compose.export import ExportError, to_savedmodel
from compose.train import Trained

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported

NET = compose_seq(conv(4, 3, relu, stride=2), batch_norm(), flatten, fc(3))
PARAMS, STATE = NET.init(0, (8, 8, 2))
X = np.random.default_rng(0).normal(size=(5, 8, 8, 2)).astype(np.float32)

ALONE = """
import sys
sys.modules["compose"] = sys.modules["jax"] = None
import numpy as np
import tensorflow as tf
call = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], call(x=tf.constant(np.load(sys.argv[2])))["y"].numpy())
"""


@pytest.mark.slow
def test_runs_in_a_process_with_tensorflow_alone(tmp_path: Path):
    to_savedmodel(NET, PARAMS, STATE, spec(8, 8, 2), tmp_path / "net", proof=False)
    np.save(tmp_path / "x.npy", X)
    files = [str(tmp_path / name) for name in ("net", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", ALONE, *files], check=True, cwd=tmp_path, env={"TF_CPP_MIN_LOG_LEVEL": "3"})
    assert np.abs(np.load(files[2]) - NET.apply(PARAMS, STATE, X)[0]).max() < 1e-5


def test_trained_networks_export_to_a_folder(tmp_path: Path):
    trained = Trained(NET, PARAMS, STATE, (), spec(8, 8, 2))
    made = trained.export(tmp_path / "net")
    assert made.report is not None and made.report.largest < 1e-6
    assert [row.batch for row in made.report.rows] == [1, 3, 8] and "SavedModel for cpu" in str(made)
    loaded = tf.saved_model.load(str(tmp_path / "net"))
    call = loaded.signatures["serving_default"]
    assert np.abs(call(x=tf.constant(X))["y"].numpy() - NET.apply(PARAMS, STATE, X)[0]).max() < 1e-5
    assert call.structured_input_signature[1]["x"].shape.as_list() == [None, 8, 8, 2]
    assert {v.name for v in loaded.weights.values()} >= {"conv_0/kernel:0", "batch_norm_0/var:0"}
    assert not any(b".py" in data or str(Path.cwd()).encode() in data for data in made.files.values())


def test_a_folder_is_replaced_as_a_whole_and_others_are_left_alone(tmp_path: Path):
    made = to_savedmodel(fc(2), *fc(2).init(0, 3), spec(3), proof=False)
    (tmp_path / "net" / "old").mkdir(parents=True)
    with pytest.raises(ConfigError, match="a folder of its own"):
        made.save(tmp_path / "net")
    (tmp_path / "net" / "saved_model.pb").touch()
    made.save(tmp_path / "net")
    assert {str(f.relative_to(tmp_path / "net")) for f in (tmp_path / "net").rglob("*") if f.is_file()} == {*made.files}
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


@pytest.mark.slow
def test_several_inputs_and_outputs_by_name(tmp_path: Path):
    net = graph(lambda x, c: (fc(3)(concat(x, c)), fc(2)(x)))
    params, state = net.init(0, 4, 5)
    to_savedmodel(net, params, state, (spec(4), spec(5)), tmp_path / "net")
    call = tf.saved_model.load(str(tmp_path / "net")).signatures["serving_default"]
    assert set(call.structured_input_signature[1]) == {"x0", "x1"} and set(call.structured_outputs) == {"y0", "y1"}


@pytest.mark.slow
def test_float64_and_a_fixed_batch():
    with jax.enable_x64(True):
        net = compose_seq(reshape(4, 5, batch=False), fc(2))
        params, state = net.init(0, np.ones((4, 5)))
        with pytest.raises(ExportError, match="batch=1"):
            to_savedmodel(net, params, state, np.ones((4, 5)))
        report = to_savedmodel(net, params, state, np.ones((4, 5)), batch=4).report
    assert report is not None and report.dtype == "float64" and [row.batch for row in report.rows] == [4]
    assert report.largest < 1e-12


@pytest.mark.slow
def test_what_tensorflow_refuses_names_the_layer(monkeypatch: pytest.MonkeyPatch):
    from compose.export.savedmodel import artifact

    monkeypatch.setattr(artifact, "operations", lambda *_: [])  # composites stay, in which it knows no open sizes
    net = compose_seq(fc(9), repeat(2, residual(fc(9))), compose_seq(relu, ops.erf, name="inner"))
    params, state = net.init(0, 4)
    with pytest.raises(ExportError, match=r"inner/erf_0: expected a layer that TensorFlow can say"):
        to_savedmodel(net, params, state, spec(4))


@pytest.mark.slow
def test_an_export_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch):
    from compose.export.savedmodel import convert

    class Halved(convert.Loaded):
        def __call__(self, *arrays):
            return [a / 2 for a in super().__call__(*arrays)]

    monkeypatch.setattr(convert, "Loaded", Halved)
    with pytest.raises(ExportError, match="conv_0: expected a layer that TensorFlow can say, got outputs that are"):
        to_savedmodel(NET, PARAMS, STATE, X)
