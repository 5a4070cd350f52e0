"""What data is put on the device, and in which shapes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.train.batches import Batches
from compose.train.examples import examples

BATCH = 10


@pytest.mark.parametrize("memory", [1 << 20, 400, 1])
def test_what_is_put_on_the_device(memory, rng):
    x = rng.normal(size=(53, 3)).astype(np.float32)
    data = examples(x, np.arange(53, dtype=np.int32))
    batches, order, seen = Batches(data, BATCH, memory), rng.permutation(53), []
    for chunk in batches.chunks(order):
        held = sum(a.nbytes for a in jax.tree.leaves(chunk.arrays))
        assert held <= max(memory // 2, BATCH * 16) or memory > data.nbytes
        for i in range(chunk.steps):
            rows = chunk.order[chunk.offset + i * chunk.size :][: chunk.size]
            np.testing.assert_array_equal(chunk.arrays[0][rows], x[chunk.arrays[1][rows]])
            seen += [np.asarray(chunk.arrays[1][rows])]
    assert [len(batch) for batch in seen] == [10, 10, 10, 10, 10, 3]
    np.testing.assert_array_equal(np.concatenate(seen), order)


def test_streamed_pieces_have_one_shape(rng):
    data = examples(rng.normal(size=(70, 3)).astype(np.float32), np.arange(70))
    chunks = list(Batches(data, BATCH, 1000).chunks(np.arange(70)))
    assert [chunk.steps for chunk in chunks] == [2, 2, 2, 1]
    assert {chunk.arrays[0].shape for chunk in chunks} == {(20, 3)}


def test_arrays_on_the_device_are_used_where_they_are():
    x = jnp.ones((20, 3))
    batches = Batches(examples(x, x), BATCH, device_bytes=1)
    assert batches.resident is not None
    assert batches.resident[0] is x
