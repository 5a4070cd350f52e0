"""`lax.cond` and `lax.switch`, proven in both branches and against the functions themselves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import port

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype(np.float32)
P = {"w": RNG.normal(size=(4, 4)), "v": RNG.normal(size=(4, 4)), "b": RNG.normal(size=4)}
P = {name: array.astype(np.float32) for name, array in P.items()}


def two(p, x):
    return lax.cond(x.sum() > 0, lambda x: jnp.tanh(x @ p["w"] + p["b"]), lambda x: x @ p["v"], x)


def one_of_four(p, x):
    ways = [lambda x: x @ p["w"], lambda x: x * 2, lambda x: jnp.zeros_like(x) + p["b"], lambda x: x @ p["v"]]
    return lax.switch((x[0, 0] * 3).astype(int), ways, x)


def nested(p, x):
    inner = lambda x: lax.cond(x.max() > 1, lambda x: x @ p["w"], lambda x: x + p["b"], x)
    return lax.cond(x.sum() > 0, inner, lambda x: x @ p["v"], x)


def shared(p, x):
    h = x @ p["w"]
    return lax.cond(h.mean() > 0, lambda: jax.nn.relu(h @ p["v"] + p["b"]), lambda: h @ p["v"] - p["b"])


def rows(p, x):  # a part of a weight is read in one way, and weights in other forms in each
    return lax.cond(
        x.sum() > 0, lambda x: x @ p["w"] + p["b"], lambda x: jnp.where(x > 0, p["w"][0], 0.0) + p["v"][0], x
    )


def several(p, x):
    a, c = lax.cond(jnp.any(x > 1.5), lambda x: (x + p["b"], x.sum(0)), lambda x: (x @ p["w"], x[0] * 2), x)
    return (a * c) @ p["v"]


def counted(p, x):
    return p["w"][lax.cond(x.sum() > 0, lambda x: jnp.argmax(x, -1), lambda x: jnp.zeros(x.shape[0], int) + 2, x)]


def of_batch(p, x):
    return lax.cond(x.sum() > 0, lambda x: x / x.shape[0], lambda x: x @ p["w"], x)


def bias(p, x):  # which is no bias of the product, since the other way has none
    h = x @ p["w"]
    return lax.cond(x.max() > 2.0, lambda h: h + p["b"], lambda h: h, h)


@pytest.mark.slow
@pytest.mark.parametrize("fn", [two, one_of_four, nested, shared, rows, several, counted, of_batch, bias])
def test_both_ways_are_those_of_the_function(fn):
    ported = port.from_jax(fn, P, X)
    assert ported.verify("gradients").rows[-1].check == "branches"
    assert "choose(" in ported.source
    for x in (X, -X, 3 * X, 0 * X, abs(X), -abs(X), X[:1] - 0.1, np.concatenate([X, X]) + 0.2):
        made = ported.net.apply(ported.params, ported.state, x)[0]
        np.testing.assert_allclose(made, fn(P, x), rtol=1e-5, atol=1e-5)


def test_what_is_not_chosen_reaches_no_gradient():
    fn = lambda p, x: lax.cond(x.min() > 0, lambda x: jnp.sqrt(x) @ p["w"], lambda x: x @ p["v"], x)
    ported = port.from_jax(fn, P, X)
    loss = lambda x: ported.net.apply(ported.params, ported.state, x)[0].sum()
    assert np.isfinite(jax.grad(loss)(-abs(X))).all()


def test_a_choice_in_each_example_is_a_where():
    fn = jax.vmap(lambda p, x: lax.cond(x.sum() > 0, lambda x: x @ p["w"], lambda x: x, x), (None, 0))
    ported = port.from_jax(fn, P, X)
    assert "choose" not in str(ported.net)
    np.testing.assert_allclose(ported.net.apply(ported.params, ported.state, X)[0], fn(P, X), rtol=1e-5, atol=1e-5)
