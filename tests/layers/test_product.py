"""The product with a matrix of weights: its derivatives, and the form that they take."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.layers.product import product
from tests.derivatives import expect_equal_derivatives


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 4, 5), (2, 3, 4, 5), (0, 4, 5)])
def test_derivatives_are_those_of_the_plain_product(shape, x64):
    rng = np.random.default_rng(0)
    x, kernel = jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.normal(size=(5, 6)))
    expect_equal_derivatives(product, lambda x, kernel: x @ kernel, (x, kernel), rtol=1e-12, atol=1e-12)


def test_the_gradient_of_the_kernel_contracts_one_axis():
    x, kernel = jnp.ones((3, 4, 5)), jnp.ones((5, 6))
    text = jax.jit(jax.grad(lambda k: product(x, k).sum())).lower(kernel).as_text()
    assert "contracting_dims = [0] x [0]" in text and "contracting_dims = [0, 1] x [0, 1]" not in text


def test_dtypes_are_promoted_as_in_the_plain_product():
    x, kernel = jnp.ones((2, 3, 5), jnp.bfloat16), jnp.ones((5, 6))
    assert product(x, kernel).dtype == jnp.float32
    dx, dk = jax.grad(lambda x, k: product(x, k).sum(), (0, 1))(x, kernel)
    assert (dx.dtype, dk.dtype) == (jnp.bfloat16, jnp.float32)
