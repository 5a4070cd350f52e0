"""A model file that is damaged, or whole and wrong, is refused, and the message says which."""

import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose.core.errors import FileError
from compose.train import load, save
from compose.train.container import pack, read
from tests.train.model_file import changed, joined, sealed, split, trained


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m"
    save(trained(), path)
    return path.read_bytes()


def refused(path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(FileError, match=message) as e:
        load(path)
    assert str(path) in str(e.value)


def test_every_byte_is_under_the_digest(tmp_path, whole):
    """Each byte of the length, header, digest, padding and tensors in turn, with one bit or all flipped."""
    path = tmp_path / "m"
    assert len(whole) < 3000
    for at in range(len(whole)):
        for flip in (1 << at % 8, 0xFF):
            data = bytearray(whole)
            data[at] ^= flip
            path.write_bytes(data)
            with pytest.raises(FileError):
                load(path)


def test_every_cut_is_seen(tmp_path, whole):
    path = tmp_path / "m"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(FileError, match=r"damaged or truncated|not a model file|an empty file"):
            load(path)


@settings(max_examples=200)
@given(st.data())
def test_any_other_bytes_are_refused(tmp_path_factory, whole, data):
    """Ranges overwritten, removed, doubled and swapped in; all that is not the file itself is refused."""
    a, b = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    other = whole[:a] + data.draw(st.binary(max_size=40)) + whole[b:]
    path = tmp_path_factory.getbasetemp() / "other"
    path.write_bytes(other)
    if other == whole:
        load(path)
    else:
        with pytest.raises(FileError):
            load(path)


def region(data: bytes, text: bytes) -> bytes:
    """The file with the first byte of `text` flipped."""
    at = data.index(text)
    return data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: b"", "an empty file"),
        (lambda d: d[:5], "not a model file"),
        (lambda d: d[:100], "damaged or truncated: 100 bytes, with a header of"),
        (lambda d: d[:-1], r"damaged or truncated: (\d+) of \d+ bytes"),
        (lambda d: d + b"\0", "damaged: its bytes do not match"),
        (lambda d: d[:-4] + b"\0\0\0\1", "damaged: its bytes do not match"),
        (lambda d: d.replace(b"relu", b"tanh"), "damaged: its bytes do not match"),
        (lambda d: b"\xff" * 8 + d[8:], "damaged or truncated: .* with a header of 18446744073709551615"),
        (lambda d: region(d, b'"sha256"'), "damaged: its header cannot be read"),
        (lambda d: region(d, b"sha256"), "damaged: its header cannot be read"),
        (lambda d: b"\x89PNG" + bytes(range(256)), "not a model file"),
        (lambda d: b"epoch,loss\n1,0.5\n" * 9, "not a model file"),
        (lambda d: (2).to_bytes(8, "little") + b"{}", "not a model file"),
        (
            lambda d: joined({"__metadata__": {"format": "pt"}}, b""),
            "a safetensors file without a network",
        ),
    ],
)
def test_damage_says_what_it_is(path, whole, damage, message):
    refused(path, damage(whole), message)


def test_no_file_and_no_regular_file(tmp_path):
    with pytest.raises(FileError, match="cannot be read: No such file"):
        load(tmp_path / "none")
    with pytest.raises(FileError, match="not a file"):
        load(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="special files of Unix")
def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(FileError, match="not a file"):
            load(path)


# What is whole and yet wrong: the digest fits.


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"version": "2"}, "format 2 is newer than 1, the latest supported; upgrade compose-jax"),
        ({"version": "one"}, "not a compose model file: .* version 'one'"),
        ({"format": "keras"}, "not a compose model file: format 'keras'"),
        ({"expression": "compose_seq(fc(5, name='e1'), batch_norm, fc(4))"}, r"fc_1/bias has shape \(3,\), this"),
        ({"expression": "compose_seq(fc(5, name='e2'), batch_norm, fc(3))"}, "no tensor params/e2/bias, params/e2"),
        ({"expression": "compose_seq(fc(5, bias=False, name='e1'), batch_norm, fc(3))"}, "an unknown tensor params/e1"),
        ({"expression": "compose_seq(fc(5), attention_from_mars(3))"}, "unknown name 'attention_f.*@compose.register"),
        ({"expression": "__import__('os').system('true')"}, "its network cannot be read: unknown name '__import__'"),
        ({"expression": "(" * 9999}, "its network cannot be read: "),
        ({"expression": "fc(0)"}, "its network cannot be planned.*a size of at least 1"),
        ({"expression": ""}, "its network cannot be read: "),
        ({"inputs": '"float32[1,9]"'}, r"params/e1/kernel has shape \(4, 5\), this network's has \(9, 5\)"),
        ({"inputs": '"int32[1,4]"'}, "cannot be planned for its inputs: .*expected a floating-point input"),
        ({"inputs": '"object[1,4]"'}, "is not the shape of an input"),
        ({"inputs": '"float32[' + "1" * 99 + ']"'}, "is not the shape of an input"),
        ({"inputs": "[" * 99999}, "cannot be planned for its inputs"),
        ({"inputs": "{"}, "cannot be planned for its inputs"),
        ({"history": '[{"loss": "low"}]'}, "its history is not a list of numbers"),
        ({"history": "7"}, "cannot be planned for its inputs"),
    ],
)  # fmt: skip
def test_metadata_that_does_not_fit(path, whole, metadata, message):
    refused(path, changed(whole, **metadata), message)


@pytest.mark.parametrize("missing", ["expression", "inputs", "history"])
def test_metadata_that_is_missing(path, whole, missing):
    header, body = split(whole)
    del header["__metadata__"][missing]
    refused(path, sealed(joined(header, body)), f"it has no '{missing}'")


def tensors_of(whole: bytes, tmp_path) -> tuple[dict, dict]:
    (tmp_path / "whole").write_bytes(whole)
    return read(tmp_path / "whole")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("params/e1/kernel", np.zeros((5, 4), np.float32), r"e1/kernel has shape \(5, 4\), this.*\(4, 5\)"),
        ("params/e1/kernel", np.zeros((4, 5), np.int32), "e1/kernel has dtype int32, this network's has float32"),
        ("state/batch_norm_0/mean", None, "no tensor state/batch_norm_0/mean"),
        ("state/extra", np.zeros(1, np.float32), "an unknown tensor state/extra"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit(path, tmp_path, whole, name, value, message):
    metadata, tensors = tensors_of(whole, tmp_path)
    tensors[name] = value
    refused(path, b"".join(pack({k: v for k, v in tensors.items() if v is not None}, metadata)), message)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 20]},
        {"dtype": "F32", "shape": [5], "data_offsets": [0, 1 << 60]},
        {"dtype": "F32", "shape": [5], "data_offsets": [-4, 16]},
        {"dtype": "F4", "shape": [40], "data_offsets": [0, 20]},
        {"dtype": "python", "shape": [5], "data_offsets": [0, 20]},
        {"dtype": "F32", "shape": [5], "data_offsets": "x"},
        {"dtype": "F32", "shape": [5], "data_offsets": {"a": 1}},
        {"dtype": "F32", "shape": [5], "data_offsets": [1]},
        {"shape": [5]},
        [1, 2, 3],
        None,
    ],
)
def test_tables_that_lie_are_refused(path, whole, entry):
    header, body = split(whole)
    header["params/batch_norm_0/bias"] = entry
    data = sealed(joined(header, body))
    refused(path, data, "not valid safetensors|dtype F4")
    refused(path, data[:-1] + bytes((data[-1] ^ 1,)), "damaged")


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 200_000, b'{"a":' + b"9" * 100_000 + b"}"])
def test_hostile_headers_end_quickly(path, text):
    refused(path, len(text).to_bytes(8, "little") + text, "not a model file")
    text = b'{"sha256":"' + b"0" * 64 + b'",' + text
    refused(path, sealed(len(text).to_bytes(8, "little") + text), "damaged: its header cannot be read")


def test_a_network_of_a_thousand_million_layers_in_a_few_words_is_planned_at_once(path, whole):
    """Each share uses the one around it twice, so that planning every use would not end."""
    text = "compose_seq(a29, a29)"
    for i in reversed(range(30)):
        text = f"share({f'compose_seq(a{i - 1}, a{i - 1})' if i else 'relu'}, lambda a{i}: {text})"
    refused(path, changed(whole, expression=text), "an unknown tensor params/batch_norm_0/bias")
