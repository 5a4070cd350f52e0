"""Activations along an axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import compose as c
from tests.cases.subject import assert_close


def test_sparsemax_is_the_nearest_point_of_the_simplex(x64, rng):
    """`max(x - cut, 0)` with the cut that makes it sum to 1, found by bisection; its slope is that of the mean left."""
    x = rng.normal(size=(5, 6)) * 2
    cuts = [optimize.brentq(lambda t, row=row: np.maximum(row - t, 0).sum() - 1, -20, 20, xtol=1e-15) for row in x]
    y = np.maximum(x - np.array(cuts)[:, None], 0)
    assert_close(c.sparsemax(jnp.asarray(x)), y, 1e-10, "sparsemax")
    assert_close(c.sparsemax(jnp.asarray(x.T), axis=0), y.T, 1e-10, "sparsemax over axis 0")
    weights = rng.normal(size=x.shape)
    kept = (y > 0) * weights
    slope = (y > 0) * (weights - kept.sum(-1, keepdims=True) / (y > 0).sum(-1, keepdims=True))
    assert_close(jax.grad(lambda x: jnp.sum(c.sparsemax(x) * weights))(jnp.asarray(x)), slope, 1e-10, "gradient")


@pytest.mark.parametrize("layer", [c.glu, c.maxout], ids=str)
def test_groups_must_divide(layer):
    with pytest.raises(c.LayerError, match="got") as e:
        layer.out((5,))
    assert str(e.value).startswith(layer.kind)
