"""Options of JAX's operations that change their numbers."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.whole_numbers import KERNEL, X

PLACES = np.array([1, 7, 2])
FUNCTIONS = {
    "a reshape that transposes": lambda v: lax.reshape(v, (v.shape[0], 24), (0, 2, 1)),
    "a median of axes": lambda v: jnp.median(v, axis=(1,)),
    "a value outside": lambda v: jnp.take(v, PLACES, axis=1, mode="fill", fill_value=3.0),
    "a value outside at places": lambda v: v.at[:, PLACES].get(mode="fill", fill_value=-1.0),
    "the last inside": lambda v: jnp.take(v, PLACES, axis=1, mode="clip"),
    "written to the last": lambda v: v.at[:, PLACES[:2]].set(v[:, :2] * 2, mode="clip"),
    "not written outside": lambda v: v.at[:, PLACES[:2]].set(v[:, :2] * 2, mode="drop"),
    "complex constants": lambda v: jnp.abs(jnp.fft.fft(v + 1j * np.arange(6))),
    "complex zeros around": lambda v: jnp.fft.irfft(jnp.fft.rfft(v, n=8, axis=2), n=5, axis=2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options(name):
    assert port.from_jax(lambda k, x: FUNCTIONS[name](x @ k), KERNEL, X).verify("gradients").ok


def test_numbers_that_are_rounded():
    with pytest.raises(PortError, match=r"lax\.reduce_precision"):
        port.from_jax(lambda k, x: lax.reduce_precision(x @ k, 8, 7), KERNEL, X)


def test_a_function_without_gradients():
    pool = lambda v: lax.reduce_window(v, -np.inf, lax.max, (1, 2, 1), (1, 1, 1), "VALID", window_dilation=(1, 2, 1))
    p = port.from_jax(lambda k, x: pool(x @ k), KERNEL, X)
    with pytest.raises(PortError, match=r"a model with gradients.*window dilation.*verify\(\"outputs\"\)"):
        p.verify("gradients")
    assert p.verify("outputs").ok
