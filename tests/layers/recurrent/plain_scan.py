"""A recurrent layer with a scan of its own, beside the same layer with the plain scan that all cells have."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from compose import bidirectional, stacked
from tests.derivatives import expect_equal_derivatives

PLAIN = {"activation": lambda x: jnp.tanh(x)}  # no `tanh` of ours, so the scan is that of any cell


def pair(word, carries: int, options, padded: bool = False):
    """The outputs of ours and of the plain scan as functions of parameters, input and initial carry."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(3, 5, 2)))
    carry = tuple(jnp.asarray(rng.normal(size=(3, 4))) for _ in range(carries))
    carry = carry if carries > 1 else carry[0]
    lengths = (jnp.array([5, 2, 0]),) if padded else ()
    ours, plain = word(4, **options), word(4, **PLAIN, **options)
    params, _ = ours.init(0, x)
    params = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), params)

    def run(layer):
        return lambda p, x, carry: layer.apply(p, {}, x, *lengths, carry, rng=0, train=True)[0]

    return run(ours), run(plain), (params, x, carry)


def expect_every_derivative_of(word, carries: int, options, padded: bool) -> None:
    ours, plain, at = pair(word, carries, options, padded)
    expect_equal_derivatives(ours, plain, at, rtol=1e-11, atol=1e-12)


def expect_equal_batched(word, carries: int) -> None:
    ours, plain, (params, x, carry) = pair(word, carries, {}, padded=True)
    many = jax.tree.map(lambda a: jnp.stack([a, a / 2]), params)
    gradients = lambda run: jax.vmap(jax.grad(lambda p: jnp.sum(run(p, x, carry) ** 2)))(many)
    _close(gradients(ours), gradients(plain))


def expect_equal_inside_other_layers(word) -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3)))
    for wrap in (lambda layer: bidirectional(layer), lambda layer: stacked(2, layer)):
        ours, plain = wrap(word(4)), wrap(word(4, **PLAIN))
        params, _ = ours.init(0, x)
        gradient = lambda net, params=params: jax.grad(lambda p: jnp.sum(net.apply(p, {}, x)[0] ** 2))(params)
        _close(gradient(ours), gradient(plain))


def products_in_the_loops(word) -> list[int]:
    """The number of products in each loop of the gradient."""
    layer, x = word(4), jnp.ones((2, 6, 3))
    params, _ = layer.init(0, x)
    program = jax.make_jaxpr(jax.grad(lambda p: jnp.sum(layer.apply(p, {}, x)[0])))(params)
    loops = [e for e in program.jaxpr.eqns if e.primitive.name == "scan"]
    return [sum(e.primitive.name == "dot_general" for e in loop.params["jaxpr"].jaxpr.eqns) for loop in loops]


def _close(ours, theirs) -> None:
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
