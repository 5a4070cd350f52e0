import jax.numpy as jnp
import pytest


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(6, 5)), jnp.float32)
