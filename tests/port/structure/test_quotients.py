"""A division by a number before a rounding or a comparison stays one: 49 * (1 / 49) is less than 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import port

X = np.arange(0.0, 300.0, 7.0)[:, None]
STEPS = {
    "floor": lambda x: jnp.floor(x / 49),
    "after a sum": lambda x: jnp.ceil((x / 49)[:, None] - 1),
    "whole numbers": lambda x: (x / 49).astype(jnp.int32) * 1.5,
    "a comparison": lambda x: jnp.where(x / 49 >= 1, x, 0.0),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_where_they_were(name):
    fn = lambda p, x: STEPS[name](x) * p["w"]
    with jax.enable_x64(True):
        ported = port.from_jax(fn, {"w": np.ones(1)}, X + 0.5)
        assert "divide" in str(ported.net)
        got = ported.net.apply(ported.params, ported.state, jnp.asarray(X))[0]
        np.testing.assert_array_equal(got, fn({"w": jnp.ones(1)}, jnp.asarray(X)))


def test_elsewhere_it_is_a_scale():
    ported = port.from_jax(lambda p, x: jnp.tanh(x / 3 + 1) * p["w"], {"w": np.ones(1)}, X)
    assert "divide" not in str(ported.net) and "scale(by=0.333" in str(ported.net)
