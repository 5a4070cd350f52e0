"""Comparisons with NaN are false but for `!=`, in every front end, with the number on either side."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from compose import port

X = np.array([[-1.0, 0.5, np.nan, np.inf, 2.0]], np.float32).repeat(3, 0)
NAMES = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def of_torch(name: str) -> Any:
    torch = pytest.importorskip("torch")
    short = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne"}

    class Compared(torch.nn.Module):
        def forward(self, x):
            return torch.where(getattr(torch, short[name])(x, 0.5), x * 2, 1.0)

    return port.from_torch(Compared(), torch.randn(3, 5))


def of_jax(name: str) -> Any:
    compared = lambda params, x: jnp.where(getattr(jnp, name)(0.5, x), x * 2, 1.0)
    return port.from_jax(compared, {}, jnp.ones((3, 5)))


def of_keras(name: str) -> Any:
    keras = pytest.importorskip("keras")
    x = keras.Input((5,))
    y = keras.ops.where(getattr(keras.ops, name)(0.5, x), x * 2, 1.0)
    return port.from_keras(keras.Model(x, y))


def of_tensorflow(name: str) -> Any:
    tf = pytest.importorskip("tensorflow")
    compared = tf.function(lambda x: tf.where(getattr(tf.math, name)(x, 0.5), x * 2, 1.0))
    return port.from_tf(compared, np.ones((3, 5), np.float32))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [of_torch, of_jax, of_keras, of_tensorflow])
def test_with_nan(make, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = make(name)
    sides = (0.5, X) if make in (of_jax, of_keras) else (X, 0.5)
    expected = np.where(getattr(np, name)(*sides), X * 2, 1.0)
    np.testing.assert_array_equal(p.net.apply(p.params, p.state, X)[0], expected)
