"""The description of a parameter: axes, fans and drawing."""

import jax
import jax.numpy as jnp
import pytest

from compose import ones, zeros
from compose.core.param import Param


@pytest.mark.parametrize(
    "shape, axes, named, fans",
    [
        ((5,), None, ("out",), (1, 5)),
        ((4, 5), None, ("in", "out"), (4, 5)),
        ((3, 3, 4, 5), None, ("space", "space", "in", "out"), (36, 45)),
        ((2, 4, 5), ("layer", "in", "out"), ("layer", "in", "out"), (4, 5)),
    ],
)
def test_axes_and_fans(shape, axes, named, fans):
    param = Param(shape, zeros, axes=axes)
    assert param.named_axes == named
    assert param.fans == fans


def test_fan_in_may_be_set():
    assert Param((5,), zeros, fan_in=4).fans == (4, 5)


def test_make_draws_the_array():
    drawn = Param((2, 3), ones, jnp.float32).make(jax.random.key(0))
    assert drawn.shape == (2, 3) and drawn.dtype == jnp.float32 and (drawn == 1).all()
