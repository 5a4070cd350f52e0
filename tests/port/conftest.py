"""Keras in true float64."""

from __future__ import annotations

import jax.numpy as jnp
import pytest


@pytest.fixture
def keras64(x64, monkeypatch):
    """Keras's floats are float64, and so are its mean and cosine, which it computes in float32 on JAX."""
    import keras

    def exact(fn):
        return lambda x, *args, **options: fn(keras.ops.convert_to_tensor(x), *args, **options)

    monkeypatch.setattr("keras.src.backend.numpy.mean", exact(jnp.mean))
    monkeypatch.setattr("keras.src.backend.numpy.cos", exact(jnp.cos))
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()  # read before, for it is made from floatx once
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
