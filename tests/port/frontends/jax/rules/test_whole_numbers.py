"""Places that a function computes on."""

from __future__ import annotations

import jax.numpy as jnp

from compose import port
from tests.port.frontends.whole_numbers import KERNEL, X, places


def test_places_stay_whole_numbers():
    def model(k, x):
        h = x @ k
        made = places(jnp.argsort(h, 1), jnp.asarray, jnp.maximum, jnp.minimum, jnp.clip, jnp.where)
        return sum((n + 1) / 10 * jnp.take_along_axis(h, at, 1) for n, at in enumerate(made))

    assert port.from_jax(model, KERNEL, X).verify("step").ok
