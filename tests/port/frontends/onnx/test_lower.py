"""Small models as ONNX files of torch's exporters, ported, proven against its reference and trained as torch does."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import onnx
import pytest
import torch

import compose
from compose import port
from compose.core.errors import PortError
from compose.export import to_onnx
from tests.port.frontends.onnx.onnx_models import DYNAMO, SCRIPT, distance_after_training, exported, perturbed
from tests.port.frontends.onnx.passes.test_norms import node, written
from tests.port.frontends.torch.torch_models import CASES, autoencoder

KEPT = ("mlp", "residual", "unet", "siamese", "two inputs", "two outputs", "gated")
BOTH = [(name, by) for name in KEPT for by in (DYNAMO, SCRIPT)]


@pytest.mark.parametrize(("name", "by"), BOTH)
def test_equal_to_the_file_and_to_torch(name, by):
    torch.manual_seed(0)
    model, *inputs = CASES[name]()
    ported = port.from_onnx(exported(perturbed(model), *inputs, by=by, keep=name == "residual"))
    assert ported.verify("gradients").ok
    assert distance_after_training(ported, model, *inputs) < 1e-9
    assert compose.parse(str(ported.net)) == ported.net


def test_autoencoder_is_the_expression_of_the_design():
    ported = port.from_onnx(exported(autoencoder(), torch.randn(2, 784)))
    assert str(ported.net) == "compose_seq(fc(250, relu), fc(50, relu), fc(250, relu), fc(784, sigmoid))"


@pytest.mark.slow
@pytest.mark.parametrize("by", [DYNAMO, SCRIPT])
def test_batch_norm_is_kept_or_folded_as_the_file_has_it(by):
    model, x = CASES["cnn"]()
    perturbed(model)
    kept = port.from_onnx(exported(model, x, by=by, keep=True))
    folded = port.from_onnx(exported(model, x, by=by))
    assert "batch_norm" in str(kept.net) and "batch_norm" not in str(folded.net)
    assert folded.verify("gradients").ok and kept.verify("gradients").ok
    assert distance_after_training(kept, model, x) < 1e-9
    for ported in (kept, folded):
        y, _ = ported.net.apply(ported.params, ported.state, x.numpy().transpose(0, 2, 3, 1))
        np.testing.assert_allclose(y, model.eval()(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_any_batch():
    model, x = CASES["cnn"]()
    ported = port.from_onnx(exported(model, x))
    assert ported.net.out(jax.ShapeDtypeStruct((9, 6, 8, 3), "float32")) == (9, 5)


def test_tied_weights_are_shared():
    model, ids = CASES["tied"]()
    ported = port.from_onnx(exported(perturbed(model), ids))
    assert str(ported.net).startswith("share(") and ported.verify("gradients").ok


def test_back_to_arrays():
    model, x = CASES["two inputs"]()[0], CASES["two inputs"]()[1:]
    ported = port.from_onnx(exported(perturbed(model), *x))
    params = jax.tree.map(lambda a: 2 * a, ported.params)
    arrays = ported.to_source(params)
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(arrays[name], 2 * tensor.numpy(), rtol=1e-6)


@pytest.mark.slow
def test_a_training_step_says_what_is_possible():
    ported = port.from_onnx(exported(*CASES["two outputs"]()))
    with pytest.raises(PortError, match="the level 'gradients'"):
        ported.verify("step")


def test_a_planted_fault_is_caught():
    ported = port.from_onnx(exported(*CASES["gated"]()))
    net = ported.net.map(lambda path, inner: compose.hard_sigmoid if str(inner) == "hard_swish" else inner)
    wrong = dataclasses.replace(ported, net=net)
    with pytest.raises(PortError, match="NOT equal"):
        wrong.verify("outputs")


@pytest.mark.slow
def test_a_saved_port_proves_itself_without_onnx(tmp_path):
    import subprocess
    import sys

    port.from_onnx(exported(*CASES["two inputs"]())).save(tmp_path)
    hide = "import sys; sys.modules['onnx'] = None; sys.path.insert(0, sys.argv[1]); "
    done = subprocess.run([sys.executable, "-c", hide + "import test_port; test_port.test_port()", str(tmp_path)])
    assert done.returncode == 0
    golden = dict(np.load(tmp_path / "golden.npz"))
    assert all(f"output {i}" in golden for i in range(1))


def test_from_a_file(tmp_path):
    onnx.save(exported(*CASES["mlp"]()), tmp_path / "coder.onnx")
    ported = port.from_onnx(tmp_path / "coder.onnx")
    assert ported.graph.name == "coder" and ported.verify("outputs").ok


def test_a_new_batch_norm_whose_ones_are_stored_once():
    weights = {"one": np.ones(3, np.float32), "zero": np.zeros(3, np.float32)}
    model = written([node("BatchNormalization", "x one zero zero one")], weights, ("n", 3, 4, 5))
    ported = port.from_onnx(model)
    assert str(ported.net).startswith("batch_norm(") and ported.verify("gradients").ok


def test_an_output_that_is_a_weight():
    weights = {"w": np.arange(4, dtype=np.float32)}
    nodes = [node("Mul", "x w"), node("Reshape", "w s", "z")]
    model = written(nodes, {**weights, "s": np.array([2, 2], np.int64)}, (2, 4), outputs="y z")
    ported = port.from_onnx(model, np.ones((2, 4), np.float32))
    y, z = ported.net.apply(ported.params, ported.state, np.full((2, 4), 2.0, np.float32))[0]
    np.testing.assert_array_equal(y, [2 * weights["w"]] * 2)
    np.testing.assert_array_equal(z, weights["w"].reshape(2, 2))


def test_an_output_that_is_a_constant_is_refused():
    net = compose.branch(compose.fc(2), compose.buffer(3, dtype="int32"))
    params, state = net.init(0, np.ones((2, 4), np.float32))
    model = to_onnx(net, params, state, (np.ones((2, 4), np.float32),), proof=False).model
    with pytest.raises(PortError, match="outputs that depend on the input, got a constant"):
        port.from_onnx(model)
