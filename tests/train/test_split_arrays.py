"""Checksums of arrays in checkpoints of several processes."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.core.errors import FileError
from compose.train.split_arrays import check_split, checksum, folder_of, read_split, write_split


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool", "float64"])
def test_any_flipped_bit_changes_a_checksum(rng, x64, dtype):
    array = (rng.standard_normal((3, 5)) > 0 if dtype == "bool" else rng.integers(-9, 9, (3, 5))).astype(dtype)
    right = checksum(array)
    data = array.view(np.uint8).reshape(-1)
    for byte in range(len(data)):
        for bit in range(1 if dtype == "bool" else 8):
            data[byte] ^= 1 << bit
            assert all(a != b for a, b in zip(checksum(array), right)), (byte, bit)
            data[byte] ^= 1 << bit
    assert checksum(array) == right


def test_places_count(rng):
    array = rng.standard_normal((4, 6)).astype(np.float32)
    right = checksum(array)
    for other in (array[::-1], array[:, ::-1], np.roll(array, 1), array.reshape(6, 4).T.copy()):
        assert checksum(other) != right
    assert checksum(jnp.asarray(array)) == right


def test_arrays_are_read_back(rng, tmp_path):
    pytest.importorskip("orbax.checkpoint")
    mesh = jax.make_mesh((1,), ("data",))
    place = jax.sharding.NamedSharding(mesh, jax.P("data"))
    arrays = {
        "params/fc_0/kernel": jax.device_put(rng.standard_normal((4, 3)).astype(np.float32), place),
        "training/optimizer/[0].mu['fc_0']['kernel']": jnp.ones((2, 2), jnp.bfloat16),
        "training/n": jnp.int32(7),
    }
    path = tmp_path / "step-0000000001.safetensors"
    entry = write_split(path, arrays)
    for places in ({}, {"params/fc_0/kernel": place}):
        found = read_split(path, entry, places)
        check_split(path, entry, found)
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(array))
    wrong = json.loads(entry)
    wrong["training/n"]["sum"][0] += 1
    with pytest.raises(FileError, match="the bytes of training/n do not match"):
        check_split(path, json.dumps(wrong), found)
    for file in folder_of(path).rglob("*"):
        if file.is_file():
            file.unlink()
    with pytest.raises(FileError, match="damaged"):
        read_split(path, entry, {})
    with pytest.raises(FileError, match="missing; it goes with"):
        read_split(tmp_path / "other.safetensors", entry, {})
