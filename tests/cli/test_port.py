"""`compose port`."""

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

MODELS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 64, 5)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).flatten(1))


class Odd(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(torch.special.airy_ai(x))


def words():
    return nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3))


def dense():
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(2)])


def unread():
    import keras

    fewer = [keras.layers.AugMix(name=name) for name in ("first", "second")]
    return keras.Sequential([keras.Input((8, 8, 3)), *fewer])


def linen():
    import jax
    from flax import linen

    module = linen.Sequential([linen.Dense(3), linen.relu, linen.Dense(2)])
    return module, module.init(jax.random.key(0), jax.numpy.ones((1, 4)))


three = 3
"""


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    (tmp_path / "models_to_port.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("models_to_port", None)


def test_a_torch_model_becomes_a_folder_with_its_proof(cli, tmp_path):
    status, printed, said = cli(
        "port", "torch", "models_to_port:Net", "--input", "1,3,8,8", "--verify", "step", "-o", "made"
    )
    assert status == 0
    assert "Net: port proven equal at the level 'step'" in printed and "wrote made/model.py" in printed
    assert said.splitlines() == [
        "reading models_to_port:Net: Net", "5 operations, 8 arrays of weights", "proving it at the level 'step'",
    ]  # fmt: skip
    report = json.loads((tmp_path / "made/report.json").read_text())
    assert report["ok"] and report["level"] == "step"
    command = [sys.executable, "-c", "import test_port; test_port.test_port()"]
    assert subprocess.run(command, cwd=tmp_path / "made", env={"PYTHONPATH": _root()}).returncode == 0


def _root() -> str:
    import compose

    return str(next(iter(compose.__path__)).removesuffix("compose"))


def test_integer_inputs_and_the_source_on_stdout(cli):
    status, printed, _ = cli("port", "torch", "models_to_port:words", "--input", "2,3", "--dtype", "int64")
    assert status == 0 and "net = embedding(9, 4) >> fc(3)" in printed


def test_a_keras_model(cli):
    pytest.importorskip("keras")
    status, printed, _ = cli("port", "keras", "models_to_port:dense", "--verify", "outputs")
    assert status == 0 and "net = fc(3, relu) >> fc(2)" in printed


def test_a_flax_module_and_its_variables(cli):
    status, printed, _ = cli("port", "flax", "models_to_port:linen", "--input", "2,4")
    assert status == 0 and "net = fc(3, relu) >> fc(2)" in printed and "proven equal" in printed


def test_check_lists_all_that_is_missing_and_writes_nothing(cli, tmp_path):
    status, printed, complaint = cli("port", "torch", "models_to_port:Odd", "--input", "2,3", "--check", "-o", "made")
    assert (status, printed) == (1, "") and not (tmp_path / "made").exists()
    assert "bessel_j0" in complaint and "airy_ai" in complaint and "models_to_port.py:18" in complaint
    assert cli("port", "torch", "models_to_port:Odd", "--input", "2,3")[2].count("first at") == 1
    status, printed, _ = cli("port", "torch", "models_to_port:words", "--input", "2,3", "--dtype", "int64", "--check")
    assert (status, printed) == (0, "every operation has a rule\n")


def test_check_of_a_keras_model(cli):
    pytest.importorskip("keras")
    status, _, complaint = cli("port", "keras", "models_to_port:unread", "--check")
    assert status == 1 and "a model without AugMix" in complaint and "layer first" in complaint


def test_a_port_that_differs_is_status_1_with_the_table_and_the_layer(cli, tmp_path, monkeypatch):
    from compose import leaky_relu
    from compose.port.lowering import registry

    monkeypatch.setitem(registry._custom, "aten.relu", registry.Rule(lambda low, node, x: low.emit(leaky_relu, x)))
    status, _, complaint = cli("port", "torch", "models_to_port:Net", "--input", "2,3,8,8", "-o", "made")
    assert status == 1 and not (tmp_path / "made").exists()
    assert "NOT equal" in complaint and "✗ outputs" in complaint and "layer that differs: leaky_relu" in complaint


BAD = {
    "no module": (("no_such:Net", "--input", "1,2"), "a module that can be imported from here: No module named"),
    "no name": (("models_to_port:Nut", "--input", "1,2"), "models_to_port to have Nut"),
    "no colon": (("models_to_port", "--input", "1,2"), "MODULE:CALLABLE"),
    "a number": (("models_to_port:three", "--input", "1,2"), "models_to_port:three to be called for a model, got int"),
    "no input": (("models_to_port:Net",), "--input with the sizes of an input"),
    "sizes": (("models_to_port:Net", "--input", "1,x"), "the sizes of an input, batch first"),
    "dtype": (("models_to_port:Net", "--input", "1,2", "--dtype", "float8"), "a --dtype of float32"),
    "dtypes": (("models_to_port:Net", "--input", "1,2", "--dtype", "bool", "--dtype", "bool"), "one --dtype, or one"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_the_call(cli, name):
    arguments, message = BAD[name]
    status, printed, complaint = cli("port", "torch", *arguments)
    assert (status, printed) == (1, "") and message in complaint


def test_a_level_that_there_is_not_is_bad_usage(cli):
    assert cli("port", "torch", "models_to_port:Net", "--input", "1,3,8,8", "--verify", "much")[0] == 2
