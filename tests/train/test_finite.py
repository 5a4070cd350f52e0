"""Inputs that are NaN or infinite: named, unless the network can do with them."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import branch, compose_seq, fc, parallel, relu
from compose.core.errors import DataError
from compose.train.finite import where_not_finite

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)
BAD = X.copy()
BAD[20, 1], BAD[41, 2] = np.nan, np.inf
FILLS = compose_seq(lambda x: jnp.where(jnp.isfinite(x), x, 0), fc(1))


@pytest.fixture(scope="module")
def trained():
    return compose_seq(fc(4, relu), fc(1)).fit(X, Y, loss="mse", verbose=False)


@pytest.mark.parametrize(
    "make", [lambda: BAD, lambda: (BAD[at : at + 8] for at in range(0, 50, 8)), lambda: BAD.astype(np.float16)]
)
def test_predictions_that_are_not_finite_are_said(trained, make):
    with pytest.warns(UserWarning, match=r"2 predictions are not finite, since x has nan at \[20, 1\]") as found:
        outputs = np.asarray(trained.predict(make(), batch_size=10))
    assert len(found) == 1 and found[0].filename == __file__
    assert np.flatnonzero(~np.isfinite(outputs[:, 0])).tolist() == [20, 41]


def test_of_several_inputs_and_outputs():
    net = compose_seq(parallel(fc(2), fc(2)), branch(lambda a, b: a, lambda a, b: b))
    trained = net.fit((X, X), (X[:, :2], X[:, :2]), loss=lambda p, t: (p[0] - t[0]) ** 2, verbose=False)
    with pytest.warns(UserWarning, match=r"2 predictions are not finite, since x\[1\] has nan at \[20, 1\]"):
        trained.predict((X, BAD))


def test_a_network_that_fills_in_takes_them():
    stream = lambda: ((BAD[at : at + 8], Y[at : at + 8]) for at in range(0, 50, 8))
    for data in ((BAD, Y), (stream,)):
        trained = FILLS.fit(*data, loss="mse", validation=(BAD, Y), verbose=False)
        assert np.isfinite(trained.evaluate(*data)["loss"])
    assert np.isfinite(np.asarray(trained.predict(BAD))).all()
    for net, y in ((fc(1), Y), (FILLS, BAD[:, 1:2])):
        with pytest.raises(DataError, match=r"[xy] has nan at \[20, [01]\].*; drop these examples or fill in"):
            net.fit(BAD, y, loss="mse", verbose=False)


def test_outputs_of_the_networks_own_are_left_alone():
    log = compose_seq(fc(1), jnp.log).fit(X, Y, loss=lambda p, t: 0 * t, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(np.asarray(log.predict(-9 * X))).all()
        assert jax.jit(log.predict)(X).shape == (50, 1)


def test_numbers_beyond_float32(monkeypatch):
    from compose.core import run

    monkeypatch.setattr(run, "_warned", {"float64"})
    with pytest.raises(
        DataError, match=r"x has 1e\+39 at \[4, 0\], which is infinite in float32, the first of 3; drop"
    ):
        fc(1).fit(np.where(np.arange(50)[:, None] == 4, 1e39, X.astype(float)), Y, loss="mse", verbose=False)
    assert where_not_finite("x", BAD, before=100) == "x has nan at [120, 1], the first of 2"
