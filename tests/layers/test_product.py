"""The product with a matrix of weights: its derivatives, and the form that they take."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose.layers.product import product


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 4, 5), (2, 3, 4, 5), (0, 4, 5)])
def test_derivatives_are_those_of_the_plain_product(shape, x64):
    rng = np.random.default_rng(0)
    x, kernel = jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.normal(size=(5, 6)))
    along = tuple(jnp.asarray(rng.normal(size=a.shape)) for a in (x, kernel))
    plain = lambda x, kernel: x @ kernel
    g = jnp.asarray(rng.normal(size=plain(x, kernel).shape))

    def derivatives(f):
        loss = lambda *at: jnp.sum(jnp.sin(f(*at)) * g)
        forward = lambda h: lambda *at: jax.jvp(h, at, along)[1]
        reverse = lambda h: lambda *at: sum(jnp.vdot(a, b) for a, b in zip(jax.grad(h, (0, 1))(*at), along))
        seconds = [outer(inner(loss))(x, kernel) for outer, inner in itertools.product((forward, reverse), repeat=2)]
        return f(x, kernel), jax.vjp(f, x, kernel)[1](g), jax.jvp(f, (x, kernel), along), seconds

    ours, theirs = (jax.tree.leaves(jax.jit(lambda f=f: derivatives(f))()) for f in (product, plain))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_the_gradient_of_the_kernel_contracts_one_axis():
    x, kernel = jnp.ones((3, 4, 5)), jnp.ones((5, 6))
    text = jax.jit(jax.grad(lambda k: product(x, k).sum())).lower(kernel).as_text()
    assert "contracting_dims = [0] x [0]" in text and "contracting_dims = [0, 1] x [0, 1]" not in text


def test_dtypes_are_promoted_as_in_the_plain_product():
    x, kernel = jnp.ones((2, 3, 5), jnp.bfloat16), jnp.ones((5, 6))
    assert product(x, kernel).dtype == jnp.float32
    dx, dk = jax.grad(lambda x, k: product(x, k).sum(), (0, 1))(x, kernel)
    assert (dx.dtype, dk.dtype) == (jnp.bfloat16, jnp.float32)
