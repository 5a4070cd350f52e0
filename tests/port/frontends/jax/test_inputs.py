"""Inputs in trees, outputs that no input reaches, and functions without gradients."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import port
from compose.core.errors import PortError

RNG = np.random.default_rng(0)
W, V = (RNG.normal(size=s).astype(np.float32) for s in ((4, 4), (4,)))
X, Y = (RNG.normal(size=s).astype(np.float32) for s in ((3, 4), (3, 2)))


def test_the_leaves_of_a_tree_are_inputs():
    fn = lambda p, d: {"o": d["x"] @ p["w"], "l": [d["y"][0] * 2, d["y"][1]]}
    ported = port.from_jax(fn, {"w": W}, {"x": X, "y": (X + 1, Y)})
    assert ported.verify("gradients").ok
    made, _ = ported.net.apply(ported.params, ported.state, X, X + 1, Y)
    assert [np.shape(y) for y in made] == [(3, 4), (3, 2), (3, 4)]


def test_a_weight_may_be_an_output():
    ported = port.from_jax(lambda p, x: (x @ p["w"], p["v"] * 2), {"w": W, "v": V}, X)
    np.testing.assert_allclose(ported.net.apply(ported.params, ported.state, X[:2])[0][1], V * 2)


@pytest.mark.parametrize("value", [0.0, 2.0])
@pytest.mark.parametrize("config", [((0, 0, 0), (1, 2, 0)), ((0, 0, 0), (1, -2, 3))])
def test_numbers_around_and_between_elements(config, value):
    fn = lambda p, x: lax.pad(x @ p["w"], jnp.asarray(value, x.dtype), config)
    ported = port.from_jax(fn, {"w": W}, X)
    assert ported.verify("gradients").ok


def test_a_loop_without_gradients_is_proven_by_its_outputs():
    fn = lambda p, x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.tanh(c[1] @ p["w"])), (0, x))[1]
    ported = port.from_jax(fn, {"w": W}, X)
    assert ported.verify("outputs").ok
    with pytest.raises(PortError, match="a function with gradients"):
        ported.verify("step")
