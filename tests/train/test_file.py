"""The model file: what goes in comes out, and no damage goes unseen."""

import os
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import compose
from compose import compose_seq, fc, spec
from compose.core.errors import FileError
from compose.train import Trained, load, save
from compose.train.container import pack, read, write
from tests.train.model_file import HISTORY, same, trained


@compose.register
def to_floats(x):
    return x.astype(jnp.result_type(float))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


def test_everything_comes_back(path):
    before = trained()
    before.save(path)
    after = compose.load(path)
    assert after.net == before.net
    assert after.inputs == before.inputs
    assert repr(after.history) == repr(before.history)  # NaN is not equal to itself
    same(after.params, before.params)
    same(after.state, before.state)
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(after.predict(x), before.predict(x))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float8_e4m3fn", "float8_e5m2"])
def test_floats_of_every_width_keep_their_bits(path, dtype):
    before = trained(cast=dtype)
    kernel = before.params["e1"]["kernel"]
    bits = np.random.default_rng(0).bytes(kernel.nbytes)  # NaN payloads and denormals included
    before.params["e1"]["kernel"] = jnp.asarray(np.frombuffer(bits, kernel.dtype).reshape(kernel.shape))
    save(before, path)
    same(load(path).params, before.params)


def test_float64_needs_x64(path):
    with jax.enable_x64(True):
        before = trained(inputs=spec(4, dtype="float64"))
        save(before, path)
        same(load(path).params, before.params)
    with pytest.raises(FileError, match=r"params/batch_norm_0/bias has dtype float64.*jax_enable_x64"):
        load(path)


def test_a_model_saved_without_x64_loads_with_it(path):
    """Parameters behind integers are of the default float, which is then another one."""
    before = trained(compose_seq(to_floats, fc(2)), spec(5, dtype="int32"))
    save(before, path)
    with jax.enable_x64(True):
        same(load(path).params, before.params)


def test_several_inputs(path):
    net = compose.parallel(fc(2), fc(3)) >> compose.concat
    inputs = (spec(4), jax.ShapeDtypeStruct((1, 5), jnp.bfloat16))
    save(trained(net, inputs), path)
    assert load(path).inputs == inputs


@given(st.lists(st.sampled_from(["bool", "int8", "uint16", "int32", "complex64", "bfloat16"]), max_size=4),
       st.lists(st.integers(0, 3), max_size=3))  # fmt: skip
def test_tensors_of_every_kind(tmp_path_factory, dtypes, shape):
    path = tmp_path_factory.getbasetemp() / "tensors"
    rng = np.random.default_rng(1)
    tensors = {f"{d}/{i}é": rng.integers(0, 2, shape).astype(jnp.dtype(d)) for i, d in enumerate(dtypes)}
    note = 'a "quoted"\n\\ "sha256":"' + "0" * 64 + '"'
    write(path, tensors, {"note": note})
    metadata, found = read(path)
    same(found, tensors)
    assert metadata["note"] == note


def test_the_same_model_is_the_same_bytes(path):
    save(trained(), path)
    first = path.read_bytes()
    save(trained(), path)
    assert path.read_bytes() == first


def test_other_readers_read_it(path):
    from safetensors.numpy import load_file

    before = trained()
    save(before, path)
    np.testing.assert_array_equal(load_file(path)["params/e1/kernel"], before.params["e1"]["kernel"])


# What cannot be written.


def test_an_unregistered_function_says_how_to_register_it(path):
    net = compose_seq(fc(3), compose_seq(fc(3, lambda x: x * 2), name="inner"))
    with pytest.raises(FileError, match=r"inner/fc_0/activation: the function <lambda>.*@compose.register"):
        save(trained(net), path)
    assert not path.exists()


def test_text_that_means_another_network(path, monkeypatch):
    monkeypatch.setattr("compose.train.file.parse", lambda text: fc(1))
    with pytest.raises(FileError, match="parses to a different network"):
        save(trained(), path)


def test_weights_of_another_network_are_not_written(path):
    model = trained()
    wrong = {**model.params, "e1": {"kernel": np.zeros((4, 6), np.float32), "bias": np.zeros(5, np.float32)}}
    with pytest.raises(FileError, match=r"params/e1/kernel has shape \(4, 6\), this network's has \(4, 5\)"):
        save(Trained(model.net, wrong, model.state, (), model.inputs), path)
    with pytest.raises(FileError, match="no tensor params/e1/bias, params/e1/kernel"):
        save(Trained(model.net, {**model.params, "e1": {}}, model.state, (), model.inputs), path)


def test_a_number_type_that_the_format_lacks():
    with pytest.raises(FileError, match="the format has no int4"):
        pack({"a": np.zeros(2, jnp.int4)}, {})


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    path.write_bytes(b"old")

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="cannot be written, and is unchanged: No space left on device"):
        save(trained(history=()), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("name", ["net.h5", "net.keras", "net.PT", "net.onnx"])
def test_endings_of_other_formats(tmp_path, name):
    with pytest.warns(UserWarning, match="is a safetensors file, whatever its ending says"):
        save(trained(), tmp_path / name)
    same(load(tmp_path / name).params, trained().params)


def test_a_folder_that_is_not_there(path):
    with pytest.raises(FileError, match=r"cannot be written.*No such file or directory"):
        save(trained(), path.parent / "no" / "m")


def test_a_reader_beside_a_writer_sees_whole_files(path):
    models = [trained(history=HISTORY[:n]) for n in (0, 2)]
    save(models[0], path)
    seen = set()

    def write():
        for i in range(40):
            save(models[i % 2], path)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen.add(len(load(path).history))
    writer.join()
    assert seen <= {0, 2}
