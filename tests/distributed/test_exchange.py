"""What processes tell each other; of one process it is its own. Several are in tests/train/test_over_processes.py."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.distributed import exchange


@pytest.mark.parametrize("value", [0.1, -math.inf, 1e-310, 123456789.123456789])
def test_numbers_are_the_same_bits(value):
    assert exchange.of_first(value) == value


def test_values_of_json():
    for value in ({"a": [1, None, "é" * 50]}, "", None, 3.5):
        assert exchange.said(value) == [value]


def test_the_largest():
    assert exchange.most(2) == 2 and exchange.gathered([3, -1]).tolist() == [[3, -1]]


def test_what_is_local_already_stays_the_same_object():
    tree = {"a": jnp.ones(3), "b": np.ones(2)}
    assert exchange.local(tree) is tree
    assert isinstance(exchange.split_or_host(tree["a"]), np.ndarray)
    copy = exchange.on_host(tree["b"])
    copy[:] = 5
    assert tree["b"][0] == 1


def test_an_array_over_the_devices_of_this_process_is_copied_whole():
    mesh = jax.make_mesh((1,), ("data",))
    placed = jax.device_put(jnp.arange(4.0), jax.sharding.NamedSharding(mesh, jax.P("data")))
    np.testing.assert_array_equal(exchange.on_host(placed), np.arange(4.0))
