"""Pre-trained models by name: weights on disk stand for those that are downloaded."""

from __future__ import annotations

import shutil

import jax
import numpy as np
import pytest

from compose import port
from compose.core.errors import FileError, PortError
from compose.port.pretrained.source import SOURCES, SourceModel, Wanted, download

torch = pytest.importorskip("torch")


@pytest.fixture
def loads(monkeypatch) -> list[Wanted]:
    """What was asked of a library of one model, whose weights depend on the options."""
    asked: list[Wanted] = []

    def source(wanted: Wanted) -> SourceModel:
        asked.append(wanted)
        torch.manual_seed(0)
        return SourceModel("torch", torch.nn.Linear(4, wanted.options.get("classes", 3)), (torch.randn(2, 4),))

    monkeypatch.setitem(SOURCES, "toy", source)
    return asked


def test_the_second_time_reads_what_the_first_one_kept(loads, tmp_path):
    first = port.from_pretrained("toy/linear", folder=tmp_path)
    again = port.from_pretrained("toy:linear", folder=tmp_path)
    assert len(loads) == 1 and again.net == first.net
    jax.tree.map(np.testing.assert_array_equal, again.params, first.params)
    assert [path.name for path in tmp_path.iterdir()] == ["toy-linear"]
    with pytest.raises(PortError, match="the source model to prove this against"):
        again.verify()


def test_options_inputs_and_weights_tell_ports_apart(loads, tmp_path):
    for options in ({}, {"classes": 5}, {"classes": 6}):
        assert port.from_pretrained("toy/linear", folder=tmp_path, **options).params
    assert port.from_pretrained("toy/linear", torch.randn(3, 4), folder=tmp_path).inputs[0].shape == (3, 4)
    file = tmp_path / "weights.pt"
    for content in (b"one", b"two"):
        file.write_bytes(content)
        port.from_pretrained("toy/linear", folder=tmp_path, weights=file)
    assert len(loads) == 6 == len([path for path in tmp_path.iterdir() if path.is_dir()])


def test_a_higher_level_is_proven_again_and_a_lower_one_is_not(loads, tmp_path):
    for level, times in (("outputs", 1), ("gradients", 2), ("outputs", 2)):
        port.from_pretrained("toy/linear", folder=tmp_path, level=level)
        assert len(loads) == times


def test_damage_is_named(loads, tmp_path):
    port.from_pretrained("toy/linear", folder=tmp_path)
    weights = tmp_path / "toy-linear" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(FileError, match=r"weights\.safetensors"):
        port.from_pretrained("toy/linear", folder=tmp_path)
    (tmp_path / "toy-linear" / "report.json").unlink()
    with pytest.raises(FileError, match="delete the folder"):
        port.from_pretrained("toy/linear", folder=tmp_path)
    shutil.rmtree(tmp_path / "toy-linear")
    assert port.from_pretrained("toy/linear", folder=tmp_path).params


def test_a_proof_that_fails_keeps_nothing(loads, tmp_path, monkeypatch):
    monkeypatch.setattr("compose.port.ported.verify", lambda *a, **k: (_ for _ in ()).throw(PortError("it differs")))
    with pytest.raises(PortError, match="it differs"):
        port.from_pretrained("toy/linear", folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name,options,says",
    [
        ("resnet18", {}, "timm/NAME"),
        ("nowhere/resnet18", {}, "timm/NAME"),
        ("timm/", {}, "timm/NAME"),
        ("toy/linear", {"weights": "no.pt"}, "a file of weights, got 'no.pt'"),
        ("keras/MobilNet", {}, "did you mean MobileNet"),
        ("hf:./nowhere", {}, "a folder that save_pretrained wrote"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_names_that_there_are_not(loads, name, options, says):
    if name.startswith("hf"):
        pytest.importorskip("transformers", reason="hf")
    with pytest.raises(PortError, match=says):
        port.from_pretrained(name, **options)


@pytest.mark.parametrize(
    "error",
    [
        OSError("We couldn't connect to 'https://huggingface.co' to load the files"),
        Exception("URL fetch failure on https://storage.googleapis.com/a.h5: None -- [Errno -2]"),
        RuntimeError("ConnectError: [Errno -2] Name or service not known"),
    ],
)
def test_a_download_that_fails_says_what_to_fetch(error):
    wanted, by_hand = Wanted("timm", "resnet18", (), None, {}), "fetch model.safetensors"
    with (
        pytest.raises(PortError, match=rf"timm/resnet18.*\n  {by_hand}"),
        download(wanted, "fetch model.safetensors"),
    ):
        raise error
    with pytest.raises(TypeError), download(wanted, by_hand):
        raise TypeError("an option that there is not")
