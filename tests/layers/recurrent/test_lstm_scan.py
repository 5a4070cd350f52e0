"""The LSTM's own scan and derivative are those of the plain scan, through every transformation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import bidirectional, lstm, stacked
from tests.derivatives import expect_equal_derivatives

PLAIN = {"activation": lambda x: jnp.tanh(x)}  # no `tanh` of ours, so the scan is that of any cell
CASES = {
    "sequence": {},
    "last": {"output": "last"},
    "reversed, with its carry": {"reverse": True, "return_carry": True},
    "unrolled": {"unroll": 3},
    "recurrent dropout": {"recurrent_dropout": 0.4, "dropout": 0.3},
}


def build(options, padded: bool, seed: int = 0):
    """The outputs of ours and of the plain scan as functions of parameters, input and initial carry."""
    rng = np.random.default_rng(seed)
    x = jnp.asarray(rng.normal(size=(3, 5, 2)))
    carry = tuple(jnp.asarray(rng.normal(size=(3, 4))) for _ in range(2))
    lengths = (jnp.array([5, 2, 0]),) if padded else ()
    ours, plain = lstm(4, **options), lstm(4, **PLAIN, **options)
    params, _ = ours.init(0, x)
    params = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), params)

    def run(layer):
        return lambda p, x, carry: layer.apply(p, {}, x, *lengths, carry, rng=0, train=True)[0]

    return run(ours), run(plain), (params, x, carry)


def close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("name", CASES)
def test_every_derivative_is_that_of_the_plain_scan(name, padded, x64):
    ours, plain, at = build(CASES[name], padded)
    expect_equal_derivatives(ours, plain, at, rtol=1e-11, atol=1e-12)


def test_batched(x64):
    ours, plain, (params, x, carry) = build({}, padded=True)
    many = jax.tree.map(lambda a: jnp.stack([a, a / 2]), params)
    gradients = lambda run: jax.vmap(jax.grad(lambda p: jnp.sum(run(p, x, carry) ** 2)))(many)
    close(gradients(ours), gradients(plain))


def test_inside_other_layers(x64):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3)))
    for wrap in (lambda layer: bidirectional(layer), lambda layer: stacked(2, layer)):
        ours, plain = wrap(lstm(4)), wrap(lstm(4, **PLAIN))
        params, _ = ours.init(0, x)
        gradient = lambda net, params=params: jax.grad(lambda p: jnp.sum(net.apply(p, {}, x)[0] ** 2))(params)
        close(gradient(ours), gradient(plain))


def test_the_gradient_of_the_recurrent_kernel_is_one_product():
    layer, x = lstm(4), jnp.ones((2, 6, 3))
    params, _ = layer.init(0, x)
    program = jax.make_jaxpr(jax.grad(lambda p: jnp.sum(layer.apply(p, {}, x)[0])))(params)
    loops = [e for e in program.jaxpr.eqns if e.primitive.name == "scan"]
    products = [sum(e.primitive.name == "dot_general" for e in loop.params["jaxpr"].jaxpr.eqns) for loop in loops]
    assert products == [1, 1]
