"""Copies of what a training step donates."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose.train.copies import copied
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


def test_nothing_is_compiled():
    tree = [jnp.ones((3, n)) for n in range(61, 64)]
    with compilations() as counted:
        copied(tree)
    assert not counted
