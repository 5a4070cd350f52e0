"""The maximum of each window for CPUs has the values and derivatives of XLA's `reduce_window`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose.layers.pool.largest import largest
from compose.layers.window import window
from tests.derivatives import expect_equal_derivatives

WINDOWS = {
    "side by side": ((7, 8), {"size": 2, "stride": None}),
    "side by side, of unlike sizes": ((7, 9), {"size": (2, 3), "stride": None}),
    "overlapping": ((9, 8), {"size": 3, "stride": 2, "padding": 1}),
    "apart": ((9, 11), {"size": 2, "stride": 3}),
    "at every place": ((6, 5), {"size": 3, "stride": 1, "padding": "same"}),
    "beyond the end": ((7, 8), {"size": 3, "stride": 2, "ceil_mode": True}),
    "1-D": ((11,), {"size": 3, "stride": 2}),
    "3-D": ((5, 4, 6), {"size": 2, "stride": None}),
    "channels first": ((6, 7), {"size": 3, "stride": 2, "channels_first": True}),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_derivatives_are_those_of_reduce_window(name, x64):
    space, options = WINDOWS[name]
    shape = (2, 3, *space) if options.get("channels_first") else (2, *space, 3)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.permutation(np.prod(shape)).reshape(shape) / 7.0)  # no two values alike
    over = window(x, **options)
    ours = lambda x: largest(x, over, -np.inf)
    xla = lambda x: over.reduce(x, -np.inf, lax.max)
    expect_equal_derivatives(ours, xla, (x,), rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize("stride", [2, 1])
def test_the_first_of_several_ties_gets_the_gradient(stride):
    x = jnp.zeros((1, 4, 1))
    over = window(x, 2, stride)
    slope = jax.grad(lambda x: largest(x, over, -np.inf).sum())(x)[0, :, 0]
    assert slope.tolist() == ([1, 0, 1, 0] if stride == 2 else [1, 1, 1, 0])


def test_nan_is_the_largest():
    x = jnp.array([1.0, np.nan, 3.0, 2.0])[None, :, None]
    assert np.isnan(largest(x, window(x, 2, None), -np.inf)[0, :, 0]).tolist() == [True, False]
