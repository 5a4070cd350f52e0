"""Unit norm and rescaling."""

import jax
import jax.numpy as jnp
import numpy as np

from compose import (
    rescale,
    standardize,
    unit_norm,
)


def test_unit_norm_of_zeros_is_zero_with_a_finite_gradient():
    slope = jax.jacobian(lambda x: unit_norm(x))(jnp.zeros(3))
    assert not np.any(unit_norm(jnp.zeros(3))) and np.all(np.isfinite(slope))


def test_bytes_become_floats():
    x = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(rescale(1 / 255, -1)(x), [[-1, -0.8, 0]], atol=1e-6)
    np.testing.assert_allclose(standardize(51, (1, 2, 4))(x), [[-51, 0, 51]])
