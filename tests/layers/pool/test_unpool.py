"""Max unpooling."""

import jax.numpy as jnp
import numpy as np
import pytest

from compose import (
    compose_seq,
    max_pool,
    max_pool_indices,
    max_unpool,
)
from compose.core.errors import ShapeError


def test_unpooling_puts_the_maxima_back(rng):
    x = jnp.asarray(rng.normal(size=(2, 6, 4, 3)).astype("float32"))
    back = compose_seq(max_pool_indices(), max_unpool())(x)
    assert np.array_equal(max_pool(2)(jnp.where(back != 0, back, -jnp.inf)), max_pool(2)(x))
    assert np.array_equal(back, jnp.where(back != 0, x, 0)) and jnp.count_nonzero(back) == 2 * 3 * 2 * 3
    first = compose_seq(max_pool_indices(channels_first=True), max_unpool(channels_first=True))
    assert np.array_equal(jnp.moveaxis(first(jnp.moveaxis(x, -1, 1)), 1, -1), back)
    with pytest.raises(ShapeError, match="values and indices of the same shape"):
        max_unpool()(x)
