"""Normalisers with the constants of data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from compose import compose_seq, fc, parse, standardize, unstandardize
from compose.core.errors import ConfigError, DataError, DtypeError, ShapeError


def test_fit_is_that_of_scikit_learn_and_its_inverse_undoes_it(rng):
    x = (rng.normal(size=(50, 3)) * [1, 20, 3e-3] + [5, -300, 0]).astype(np.float32)
    net = standardize.fit(x)
    np.testing.assert_allclose(net(x), StandardScaler().fit_transform(x), atol=1e-5)
    np.testing.assert_allclose(net.inverse(net(x)), x, rtol=1e-5, atol=1e-5)
    assert net.inverse.inverse == net and parse(str(net)) == net and parse(str(net.inverse)) == net.inverse


def test_channels_of_images_are_the_last_axis_or_the_first(rng):
    x = rng.normal(size=(6, 4, 5, 2)) * [1, 9] + [3, 0]
    last, first = standardize.fit(x), standardize.fit(np.moveaxis(x, -1, 1), channels_first=True)
    assert (last.mean, last.std) == (first.mean, first.std) and first.channels_first
    np.testing.assert_allclose(np.asarray(last(x.astype(np.float32))).std((0, 1, 2)), 1, rtol=1e-5)


def test_one_channel_is_one_number_and_a_constant_keeps_std_1():
    assert standardize.fit([1.0, 3.0]) == standardize.fit([[1], [3]]) == standardize(2.0, 1.0)
    assert standardize.fit(np.full((5, 2), 0.1)) == standardize((0.1, 0.1), (1.0, 1.0))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, 2.0], [3.0, np.nan]], "channel 1 of 2 has values that are NaN"),
        ([["a"]], "expected numbers"),
        (np.ones((0, 3)), r"no examples.*\(0, 3\)"),
        ([[1.6e9], [1.6e9 + 1]], "channel 0 of 1 varies by 0.5 around 1.6e\\+09, which float32 does not resolve"),
    ],
)
def test_fit_refuses(x, message):
    with pytest.raises(DataError, match=message):
        standardize.fit(x)


def test_what_float32_does_not_resolve_float64_does():
    with jax.enable_x64(True):
        assert standardize.fit([[1.6e9], [1.6e9 + 1]]).std == 0.5


def test_half_precision_is_refused_where_it_is_too_coarse():
    years = jnp.bfloat16([[2000.0], [2016.0]])
    with pytest.raises(DtypeError, match=r"bfloat16, too coarse for values of 2008 ± 7"):
        standardize(2008.0, 7.0)(years)
    assert standardize(0.5, 0.25)(years).dtype == jnp.bfloat16
    assert unstandardize(2008.0, 8.0)(jnp.bfloat16([[1.0]])).dtype == jnp.float32


def test_errors_of_the_inverse():
    with pytest.raises(ConfigError, match="a std above 0"):
        unstandardize(0.0, (1.0, 0.0))
    with pytest.raises(ShapeError, match="a std for each of 3 channels"):
        unstandardize((1.0, 2.0), 1.0).out(3)


def test_a_layer_still_trains(rng):
    x = rng.normal(size=(8, 2)).astype(np.float32)
    with pytest.warns(UserWarning, match="nothing trains"):
        trained = standardize(0.0, 2.0).fit(x, x, loss="mse", verbose=False)
    np.testing.assert_allclose(trained.predict(x), x / 2)
    assert compose_seq(standardize.fit(x), fc(3)).out(2) == (3,)
