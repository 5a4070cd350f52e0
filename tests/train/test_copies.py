"""Copies of what a training step donates."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose.train.copies import copied, on_device
from tests.train.compilations import compilations


def test_arrays_of_any_kind_have_memory_of_their_own():
    tree = {"a": jnp.arange(6.0).reshape(2, 3), "b": (jnp.int32(4), None, jnp.zeros((0, 3)), jax.random.key(1))}
    made = copied(tree)
    assert jax.tree.structure(made) == jax.tree.structure(tree)
    assert made["a"].unsafe_buffer_pointer() != tree["a"].unsafe_buffer_pointer()
    less = jax.jit(lambda a: a - 1, donate_argnums=0)
    jax.block_until_ready([less(made["a"]), less(made["b"][0])])
    assert made["a"].is_deleted()
    np.testing.assert_array_equal(tree["a"], np.arange(6.0).reshape(2, 3))
    assert int(tree["b"][0]) == 4


def test_arrays_are_committed_to_a_device_where_they_were():
    x = jnp.arange(3.0)
    free, held = copied([x, jax.device_put(x, jax.devices()[0])])
    assert not free.committed and held.committed


def test_nothing_is_compiled():
    tree = [jnp.ones((3, n)) for n in range(61, 64)]
    with compilations() as counted:
        copied(tree)
    assert not counted


def test_arrays_of_numpy_go_to_the_device_once_and_without_compilation(tmp_path):
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(64, 65))
    host = {"x": np.zeros((67, 512)), "mapped": mapped, "labels": np.arange(71), "of columns": np.ones((5, 73)).T}
    already = jnp.ones(3)
    with compilations() as counted:
        put, same = on_device((host, already))
    assert not counted and same is already
    assert {k: (v.shape, v.dtype) for k, v in put.items()} == {
        "x": ((67, 512), jnp.float32), "mapped": ((64, 65), jnp.float32), "labels": ((71,), jnp.int32),
        "of columns": ((73, 5), jnp.float32),
    }  # fmt: skip
    host["x"][:], mapped[:] = 7, 7
    assert not put["x"].any() and not put["mapped"].any()
