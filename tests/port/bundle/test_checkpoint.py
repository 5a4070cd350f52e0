"""Checkpoints with the source's names: a safetensors file through the map, and everything else refused by name."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from safetensors.torch import save_model

from compose import port
from compose.core.errors import FileError
from tests.port.bundle.test_round_trip import ported_keras, ported_torch, weights_of


def other(model):
    """The model with other weights."""
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.mul_(1.5).add_(0.25)
    return model


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("name", "reload"),
    [("cnn", False), ("repeat", True), ("repeated attention", False), ("stacked lstm", False), ("tied", True)],
)
def test_a_checkpoint_is_what_a_port_of_the_model_would_be(name, reload, tmp_path):
    p, model, inputs = ported_torch(name)
    save_model(other(model), str(tmp_path / "weights.safetensors"))
    if reload:
        p.save(tmp_path / "port")
        p = port.load(tmp_path / "port")
    again = port.from_torch(model, *inputs)
    same(p.load_checkpoint(tmp_path / "weights.safetensors"), (again.params, again.state))


def test_a_keras_checkpoint(tmp_path):
    p, model = ported_keras("cnn")
    arrays = {v.path: w + 1 for v, w in zip(model.weights, weights_of(model))}
    save_file(arrays, tmp_path / "x.safetensors")
    params, state = p.load_checkpoint(tmp_path / "x.safetensors")
    for a, b in zip(p.to_keras_weights(params, state), arrays.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_narrower_floats_are_widened(tmp_path):
    p, model, _ = ported_torch("unet")
    narrow = {k: v.to(torch.bfloat16) for k, v in model.state_dict().items()}
    save_tensors(narrow, tmp_path / "x.safetensors")
    params, _ = p.load_checkpoint(tmp_path / "x.safetensors")
    made = p.to_torch_state_dict(params)
    assert all(torch.equal(made[k], v.float()) for k, v in narrow.items())


def without(tensors):
    del tensors["head.weight"]


def surplus(tensors):
    tensors["tail.weight"] = torch.zeros(3)


def misshaped(tensors):
    tensors["head.weight"] = tensors["head.weight"].T.contiguous()


def wider(tensors):
    tensors["head.weight"] = tensors["head.weight"].double()


def integers(tensors):
    tensors["norm.weight"] = tensors["norm.weight"].int()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without, r"no tensor 'head\.weight'$"),
        (surplus, r"no place for the tensor 'tail\.weight'$"),
        (misshaped, r"head\.weight has shape \(96, 5\), the source's has \(5, 96\)"),
        (wider, r"head\.weight has dtype float64, the source's has float32"),
        (integers, r"norm\.weight has dtype int32, the source's has float32"),
    ],
)
def test_what_is_wrong_is_named(change, says, tmp_path):
    p, model, _ = ported_torch("cnn")
    tensors = dict(model.state_dict())
    change(tensors)
    save_tensors(tensors, tmp_path / "x.safetensors")
    with pytest.raises(FileError, match=says):
        p.load_checkpoint(tmp_path / "x.safetensors")


def test_names_that_all_have_something_in_front(tmp_path):
    p, model, _ = ported_torch("cnn")
    save_tensors({f"module.{k}": v for k, v in model.state_dict().items()}, tmp_path / "x.safetensors")
    with pytest.raises(FileError, match=r"load_checkpoint\(path, prefix='module\.'\)"):
        p.load_checkpoint(tmp_path / "x.safetensors")
    same(p.load_checkpoint(tmp_path / "x.safetensors", prefix="module."), (p.params, p.state))


def test_tied_weights_that_differ(tmp_path):
    p, model, _ = ported_torch("tied")
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    save_tensors(tensors, tmp_path / "x.safetensors")
    p.load_checkpoint(tmp_path / "x.safetensors")
    tensors["head.weight"] += 1
    save_tensors(tensors, tmp_path / "x.safetensors")
    with pytest.raises(FileError, match=r"table\.weight and head\.weight differ"):
        p.load_checkpoint(tmp_path / "x.safetensors")


def test_a_constant_of_the_network_that_differs(tmp_path):
    """A buffer that the port has as numbers in its expression; one that nothing reads may be anything."""
    for model_name, name in (("repeat", "unread"), ("decoder", "mask")):
        p, model, _ = ported_torch(model_name)
        tensors = dict(model.state_dict())
        tensors[name] = tensors[name] + 1
        save_tensors(tensors, tmp_path / f"{name}.safetensors")
        if name == "unread":
            p.load_checkpoint(tmp_path / "unread.safetensors")
    with pytest.raises(FileError, match=r"mask is not a weight but part of the network"):
        p.load_checkpoint(tmp_path / "mask.safetensors")


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("archive", [True, False])
def test_a_pickle_is_never_loaded(archive, tmp_path):
    p, _, _ = ported_torch("cnn")
    torch.save({"x": Bomb(tmp_path / "ran")}, tmp_path / "x.pt", _use_new_zipfile_serialization=archive)
    with pytest.raises(FileError, match=r"a pickle.*only safetensors is read.*safetensors\.torch\.save_model"):
        p.load_checkpoint(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


def test_what_keras_writes_says_how_to_convert_it(tmp_path):
    p, model = ported_keras("cnn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras reads its own variables in NumPy 1's way
        model.save(tmp_path / "x.keras")
        model.save_weights(tmp_path / "x.weights.h5")
    for name, kind in (("x.keras", "an archive"), ("x.weights.h5", "an HDF5 file")):
        with pytest.raises(FileError, match=rf"{kind}.*safetensors\.numpy\.save_file"):
            p.load_checkpoint(tmp_path / name)


def test_no_file_and_no_safetensors(tmp_path):
    p, _, _ = ported_torch("cnn")
    with pytest.raises(FileError, match="cannot be read"):
        p.load_checkpoint(tmp_path / "nothing")
    (tmp_path / "text").write_text("weights")
    with pytest.raises(FileError, match="not valid safetensors"):
        p.load_checkpoint(tmp_path / "text")
