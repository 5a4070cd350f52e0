"""Moments, bounds and structure of the initialisers, and the torch and Keras ones that they stand for."""

import jax
import numpy as np
import pytest
import torch

import compose as c
from compose.core.param import Param

SHAPE = (3, 3, 40, 60)
FAN_IN, FAN_OUT = 9 * 40, 9 * 60


def made(init, shape=SHAPE, seed=0):
    return np.asarray(Param(shape, init, np.float32).make(jax.random.key(seed)))


@pytest.mark.parametrize(
    "init,variance,bound",
    [
        (c.glorot_uniform, 2 / (FAN_IN + FAN_OUT), "uniform"),
        (c.glorot_normal, 2 / (FAN_IN + FAN_OUT), "cut"),
        (c.he_uniform, 2 / FAN_IN, "uniform"),
        (c.he_normal, 2 / FAN_IN, "cut"),
        (c.lecun_uniform, 1 / FAN_IN, "uniform"),
        (c.lecun_normal, 1 / FAN_IN, "cut"),
        (c.torch_uniform, 1 / (3 * FAN_IN), "uniform"),
        (c.variance_scaling, 1 / FAN_IN, "cut"),
        (c.variance_scaling(scale=3.0, mode="fan_out", distribution="normal"), 3 / FAN_OUT, "free"),
        (c.variance_scaling(mode="fan_avg", distribution="uniform"), 2 / (FAN_IN + FAN_OUT), "uniform"),
        (c.normal(stddev=0.5), 0.25, "free"),
        (c.truncated_normal(stddev=0.5), 0.25 * 0.87962566**2, "cut"),
        (c.uniform(low=-0.3, high=0.3), 0.03, "uniform"),
    ],
    ids=str,
)
def test_variance_and_bounds(init, variance, bound):
    drawn = made(init)
    deviation = np.sqrt(variance)
    assert drawn.mean() == pytest.approx(0, abs=0.02 * deviation)
    assert drawn.std() == pytest.approx(deviation, rel=0.02)
    reach = np.abs(drawn).max() / deviation
    low, high = {"uniform": (1.72, 3**0.5 + 1e-5), "cut": (2.2, 2 / 0.8796 + 1e-3), "free": (3.5, 6)}[bound]
    assert low <= reach <= high
    assert not np.array_equal(drawn, made(init, seed=1))


def test_options_move_the_mean():
    assert made(c.normal(mean=2.0)).mean() == pytest.approx(2, abs=1e-3)
    assert made(c.truncated_normal(mean=2.0)).mean() == pytest.approx(2, abs=1e-3)
    assert np.all(made(c.constant(value=0.3)) == np.float32(0.3))


@pytest.mark.parametrize("shape", [(5, 5), (4, 6)])
def test_eye_is_torchs(shape):
    assert np.array_equal(made(c.eye, shape), torch.nn.init.eye_(torch.empty(shape)).numpy())
    assert np.array_equal(made(c.eye(gain=2.0), shape), 2 * np.eye(*shape))


@pytest.mark.parametrize("filters,channels,groups", [(6, 3, 1), (6, 3, 2), (3, 6, 1)])
def test_dirac_is_torchs(filters, channels, groups):
    theirs = torch.nn.init.dirac_(torch.empty(filters, channels, 3, 5), groups).permute(2, 3, 1, 0)
    assert np.array_equal(made(c.dirac(groups=groups), (3, 5, channels, filters)), theirs.numpy())


def test_sparse_has_that_share_of_zeros_for_each_input():
    drawn = made(c.sparse(sparsity=0.3), (50, 40))
    assert np.all((drawn == 0).sum(1) == 12)
    assert drawn[drawn != 0].std() == pytest.approx(0.01, rel=0.05)
    assert len({tuple(row) for row in drawn == 0}) == 50


def test_orthogonal_columns():
    kernel = made(c.orthogonal(gain=2.0), (8, 5))
    np.testing.assert_allclose(kernel.T @ kernel, 4 * np.eye(5), atol=1e-5)
    middle = made(c.delta_orthogonal, (3, 3, 5, 8))
    np.testing.assert_allclose(middle[1, 1] @ middle[1, 1].T, np.eye(5), atol=1e-5)
    assert np.count_nonzero(middle) == np.count_nonzero(middle[1, 1])


@pytest.mark.parametrize(
    "init,shape", [(c.eye, (3,)), (c.sparse, (3,)), (c.dirac, (3, 4)), (c.dirac(groups=2), (3, 2, 3))]
)
def test_wrong_shapes_are_named(init, shape):
    with pytest.raises(c.LayerError, match="got"):
        made(init, shape)
