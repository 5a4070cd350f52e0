"""Indexing as slices: the values of NumPy, the program of JAX, and no gather where the batch size is open."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import export

from compose import at, crop, gru, rotary
from compose.layers.slicing import take_slice

X = np.arange(60).reshape(3, 4, 5)
INDICES = [
    (..., slice(2)), (slice(None), -1), (0,), (slice(1, None), slice(None), slice(None, None, 2)),
    (..., 1, slice(2, 1)), (None, ..., -1, None),
    (slice(None), None, 2), (slice(None, None, -1),), (slice(None), np.array([2, 0])), (1, ...),
    (slice(-2, 100), slice(None), np.int64(3)), (), (True,),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_is_the_index(index):
    assert np.array_equal(take_slice(jax.numpy.asarray(X), *index), X[index])
    ours = jax.make_jaxpr(lambda x: take_slice(x, *index))(X)
    assert len(ours.eqns) <= len(jax.make_jaxpr(lambda x: x[index])(X).eqns)


@pytest.mark.parametrize("net", [gru(3), gru(3, reset_after=False), at(":, -1"), crop(1), rotary(size=2)], ids=str)
def test_no_gather_where_the_batch_size_is_open(net):
    shape = {"crop": (5, 5, 2), "rotary": (3, 2, 4)}.get(net.kind, (5, 2))
    params, state = net.init(0, shape)
    batch = export.symbolic_shape("batch")[0]
    given = jax.ShapeDtypeStruct((batch, *shape), np.float32)
    program = jax.make_jaxpr(lambda x: net.apply(params, state, x)[0])(given)
    assert "gather" not in str(program)
