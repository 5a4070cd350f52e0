"""Slopes where values tie, which random examples of a proof never reach: a port has those of JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

from compose import port

X = np.array([[-1.0, 0.0, 0.5, 1.0], [0.0, 0.0, -0.5, 6.0], [2.0, 2.0, -1.0, 0.0]], np.float32)
V = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
FUNCTIONS = {
    "maximum": lambda x: jnp.maximum(x, 0) + jnp.maximum(0.5, x),
    "minimum": lambda x: jnp.minimum(x, 0.5),
    "of values": lambda x: jnp.maximum(x, x**3),
    "of a weight": lambda x: jnp.minimum(x, V),
    "relu": nn.relu,
    "relu6": nn.relu6,
    "leaky_relu": nn.leaky_relu,
    "abs": jnp.abs,
    "clip": lambda x: jnp.clip(x, -1, 1),
    "clamp": lambda x: lax.clamp(jnp.asarray(-1, x.dtype), x, jnp.asarray(1, x.dtype)),
    "hard_tanh": nn.hard_tanh,
    "hard_swish": nn.hard_swish,
    "elu and selu": lambda x: nn.elu(x) + nn.selu(x),
    "largest": lambda x: jnp.max(x, -1),
    "of an absolute value": lambda x: jnp.sqrt(jnp.abs(x) + 1) + jnp.log1p(jnp.abs(x)),
    "where": lambda x: jnp.where(x > 0, x, 0.1 * x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_slopes(name):
    fn = lambda p, x: FUNCTIONS[name](x * 1.0) * p["v"].sum()
    ported = port.from_jax(fn, {"v": V}, X)
    with jax.enable_x64(True):
        x, v = np.float64(X), np.float64(V)
        weights = jnp.cos(jnp.arange(fn({"v": v}, x).size)).reshape(fn({"v": v}, x).shape)
        theirs = jax.grad(lambda x: (fn({"v": v}, x) * weights).sum())(x)
        ours = jax.grad(lambda x: (ported.net.apply(ported.params, ported.state, x)[0] * weights).sum())(x)
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
