"""Norms and deviations at 0, where their namesakes in JAX have no gradient, and of NaN, which is above no number."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import lp_pool, norm, std

FUNCTIONS = {
    "norm": norm(axis=1), "norm of order 3": norm(axis=1, order=3), "norm of order -2": norm(axis=1, order=-2),
    "norm of order 1": norm(axis=1, order=1), "std": std(axis=1),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan_and_0_has_a_gradient(name):
    x = jnp.array([[3.0, 4.0, 5.0], [jnp.nan, 1.0, 2.0], [0.0, 0.0, 0.0]])
    y = np.asarray(FUNCTIONS[name](x))
    np.testing.assert_array_equal(np.isnan(y), [False, True, False])
    assert y[2] == 0
    assert np.isfinite(jax.grad(lambda x: FUNCTIONS[name](x).sum())(x)[2]).all()


def test_a_window_with_nan_has_no_norm():
    x = jnp.ones((1, 4, 4, 1)).at[0, 0, 0, 0].set(jnp.nan)
    np.testing.assert_array_equal(np.isnan(lp_pool(2)(x))[0, ..., 0], [[True, False], [False, False]])
