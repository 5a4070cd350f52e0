"""`compose export`: the file, the proof, the errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compose import compose_seq, fc, ops, relu, spec
from compose.cli.app import app
from compose.core.errors import ConfigError
from compose.export import ExportError
from compose.train import Trained

onnx = pytest.importorskip("onnx")


def saved(folder: Path, net) -> Path:
    params, state = net.init(0, 4)
    Trained(net, params, state, (), spec(4)).save(folder / "net.safetensors")
    return folder / "net.safetensors"


def run(*args):
    result = CliRunner().invoke(app, ["export", *map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_writes_beside_the_model_and_prints_the_proof(tmp_path: Path):
    file = saved(tmp_path, compose_seq(fc(3, relu), fc(2)))
    result = run(file, "--to", "onnx")
    assert result.exit_code == 0 and "largest error" in result.stdout
    assert len(onnx.load(tmp_path / "net.onnx").graph.node) == 3


def test_options_of_onnx(tmp_path: Path):
    file = saved(tmp_path, fc(3))
    np.save(tmp_path / "typical.npy", np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32))
    run(file, "--to", "onnx", "-o", tmp_path / "small.onnx", "--int8", tmp_path / "typical.npy")
    assert any(n.op_type == "QuantizeLinear" for n in onnx.load(tmp_path / "small.onnx").graph.node)
    run(file, "--to", "onnx", "--batch", "2", "--opset", "21", "--half")
    assert onnx.load(tmp_path / "net.onnx").opset_import[0].version == 21


def test_stablehlo(tmp_path: Path):
    pytest.importorskip("flatbuffers")
    result = run(saved(tmp_path, fc(3)), "--to", "stablehlo")
    assert (tmp_path / "net.stablehlo").stat().st_size > 500 and "StableHLO for cpu" in result.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
def test_savedmodel_and_litert(tmp_path: Path):
    pytest.importorskip("tensorflow")
    pytest.importorskip("ai_edge_litert")
    file = saved(tmp_path, fc(3))
    assert "SavedModel for cpu" in run(file, "--to", "savedmodel").stdout
    assert (tmp_path / "net_savedmodel" / "saved_model.pb").exists()
    assert "LiteRT, float16" in run(file, "--to", "litert", "--half", "--batch", "1").stdout
    assert "LiteRT, int8" in run(file, "--to", "litert", "--int8-weights").stdout
    np.save(tmp_path / "typical.npy", np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32))
    assert "LiteRT, int8" in run(file, "--to", "litert", "--int8", tmp_path / "typical.npy").stdout
    assert (tmp_path / "net.tflite").stat().st_size > 500
    with pytest.raises(ConfigError, match="one of --half"):
        run(file, "--to", "litert", "--half", "--int8-weights")


def test_torch(tmp_path: Path):
    pytest.importorskip("torch")
    file = saved(tmp_path, compose_seq(fc(3, relu), fc(2)))
    before = file.read_bytes()
    result = run(file, "--to", "torch")
    assert "compared with the network in float64" in result.stdout and file.read_bytes() == before
    assert "class Network(nn.Sequential)" in (tmp_path / "net_torch.py").read_text()
    assert (tmp_path / "net_torch_weights.safetensors").exists()


@pytest.mark.slow
def test_keras(tmp_path: Path):
    pytest.importorskip("keras")
    result = run(saved(tmp_path, compose_seq(fc(3, relu), fc(2))), "--to", "keras")
    assert "compared with the network in float64" in result.stdout
    assert "def network():" in (tmp_path / "net_keras.py").read_text()
    assert (tmp_path / "net_keras.weights.h5").exists()


def test_errors_say_what_is_wrong(tmp_path: Path):
    file = saved(tmp_path, compose_seq(fc(3), ops.gammaln))
    with pytest.raises(ExportError, match="gammaln_0"):
        run(file, "--to", "onnx")
    assert not (tmp_path / "net.onnx").exists()
    with pytest.raises(ConfigError, match="--to onnx or --to litert only"):
        run(file, "--to", "stablehlo", "--half")
    with pytest.raises(ConfigError, match="--to litert only"):
        run(file, "--to", "onnx", "--int8-weights")
    assert run(file, "--to", "pickle").exit_code == 2
