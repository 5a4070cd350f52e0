"""Rectifiers with learned or random slopes."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import compose as c
from tests.cases.case import Case
from tests.cases.in_torch import in_torch, prove


def with_torch(layer, theirs, x):
    """Assert that `layer` is `theirs(params, x)` in output and gradients."""
    reference = in_torch(lambda p, s, x: theirs(p, x), turned=False)
    prove(Case(layer, (x,), reference), reference)


@pytest.mark.parametrize(
    "axes,shape,slope",
    [
        ((), (2, 5, 4, 3), lambda w: w.reshape(1)),
        ((-1,), (2, 5, 4, 3), lambda w: w),
        ((1, -1), (2, 5, 4, 3), lambda w: w.reshape(5, 1, 3)),
        ((-1, 1), (2, 5, 4, 3), lambda w: w.reshape(5, 1, 3)),
    ],
)
def test_prelu(x64, rng, axes, shape, slope):
    x = rng.normal(size=shape)
    x[0, 0] = 0
    with_torch(c.prelu(axes), lambda p, x: torch.where(x > 0, x, slope(p["negative_slope"]) * x), x)


def test_prelu_is_torchs(x64, rng):
    theirs = torch.nn.PReLU(3).double()
    x = rng.normal(size=(2, 3))
    with_torch(c.prelu((-1,)), lambda p, x: F.prelu(x, p["negative_slope"]), x)
    made = c.prelu((-1,)).init(0, x)[0]["negative_slope"]
    assert np.array_equal(made, theirs.weight.detach().numpy())


def test_rrelu_draws_slopes_between_its_bounds(key):
    x = -jnp.ones((1000,))
    y = -c.rrelu(0.1, 0.3).apply({}, {}, x, rng=key, train=True)[0]
    assert y.min() >= 0.1 and y.max() <= 0.3
    assert y.mean() == pytest.approx(0.2, abs=0.01)
    assert y.std() == pytest.approx(0.2 / 12**0.5, rel=0.1)
