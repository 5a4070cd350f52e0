"""Normalisation: Keras's and Flax's conventions, precision, wrappers over kernels, and errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import linen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import (
    batch_norm,
    fc,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rescale,
    rms_norm,
    spectral_norm,
    standardize,
    unit_norm,
    weight_norm,
)
from compose.core.errors import ConfigError, DtypeError, ShapeError
from tests.cases.case import Case
from tests.cases.in_torch import prove
from tests.cases.norm import batch_normed

BOUNDED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROUNDED = 5e-6  # Keras normalises in float32 even where its layer is float64
SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=3)


@pytest.mark.slow
@given(SHAPES, st.booleans(), st.sampled_from([0.0, 0.9, 1.0]))
@BOUNDED
def test_any_batch_norm_trains_as_torch(x64, space, unbiased, momentum):
    options = {"unbiased": unbiased, "momentum": momentum}
    prove(Case(batch_norm(**options), ((3, *space, 4),)), batch_normed(True, **options), train=True)


def perturbed(layer, x):
    params, state = layer.init(0, x)
    return jax.tree.map(lambda a: a + 0.1 + 0.1 * jnp.arange(a.size, dtype=a.dtype).reshape(a.shape), (params, state))


def test_batch_norm_is_keras_in_training_too(x64, rng):
    x = rng.normal(size=(3, 4, 5, 6)) + 2
    ours, theirs = batch_norm(epsilon=1e-3), keras.layers.BatchNormalization(dtype="float64")
    params, state = perturbed(ours, x)
    theirs.build(x.shape)
    theirs.set_weights([params["scale"], params["bias"], state["mean"], state["var"]])
    np.testing.assert_allclose(ours.apply(params, state, x)[0], theirs(x), atol=ROUNDED)
    y, after = ours.apply(params, state, x, train=True)
    np.testing.assert_allclose(y, theirs(x, training=True), atol=ROUNDED)
    np.testing.assert_allclose(after["mean"], theirs.moving_mean, atol=ROUNDED)
    np.testing.assert_allclose(after["var"], theirs.moving_variance, atol=ROUNDED)


def test_batch_norm_is_flax_in_training_too(x64, rng):
    x = jnp.asarray(rng.normal(size=(3, 4, 6)) + 2)
    params, state = perturbed(batch_norm(), x)
    theirs = linen.BatchNorm(use_running_average=False, use_fast_variance=False)
    want, after = theirs.apply({"params": params, "batch_stats": state}, x, mutable="batch_stats")
    y, ours = batch_norm().apply(params, state, x, train=True)
    np.testing.assert_allclose(y, want, atol=1e-12)
    for key in ("mean", "var"):
        np.testing.assert_allclose(ours[key], after["batch_stats"][key], atol=1e-12)


KERAS = [
    (layer_norm(epsilon=1e-3), keras.layers.LayerNormalization, {}),
    (layer_norm(2), keras.layers.LayerNormalization, {"axis": (-2, -1), "epsilon": 1e-5}),
    (group_norm(3, 1e-3), keras.layers.GroupNormalization, {"groups": 3}),
    (instance_norm(1e-3), keras.layers.GroupNormalization, {"groups": -1}),
    (rms_norm(), keras.layers.RMSNormalization, {}),
    (unit_norm, keras.layers.UnitNormalization, {}),
    (rescale(1 / 255, -1), keras.layers.Rescaling, {"scale": 1 / 255, "offset": -1}),
    (standardize(0.5, 1.5), keras.layers.Normalization, {"axis": None, "mean": 0.5, "variance": 2.25}),
]


@pytest.mark.parametrize("ours, theirs, options", KERAS, ids=lambda v: getattr(v, "__name__", ""))
def test_the_others_are_keras(ours, theirs, options, x64, rng):
    x = rng.normal(size=(2, 4, 5, 6))
    made = theirs(dtype="float64", **options)
    params, _ = perturbed(ours, x)
    made.build(x.shape)
    if params:
        made.set_weights([params[k] for k in ("scale", "bias") if k in params])
    np.testing.assert_allclose(ours.apply(params, {}, x)[0], made(x), atol=ROUNDED)


@pytest.mark.parametrize("layer", [layer_norm(), batch_norm(), group_norm(1)])
def test_a_large_mean_costs_no_precision(layer, rng):
    """The variance of squares less the square of the mean, Flax's default, is off by 0.2 here."""
    x = (rng.normal(size=(64, 128)) + 1000).astype(np.float32)
    params, state = layer.init(0, x)
    axis = 0 if isinstance(layer, batch_norm) else 1
    wide = x.astype(np.float64)
    want = (wide - wide.mean(axis, keepdims=True)) / np.sqrt(wide.var(axis, keepdims=True) + layer.epsilon)
    assert np.abs(layer.apply(params, state, x, train=True)[0] - want).max() < 1e-3


@pytest.mark.parametrize(
    "layer",
    [batch_norm(), group_norm(2), instance_norm(), local_response_norm(3, 0.5), standardize((1, 2, 3, 4), 2)],
)
def test_channels_first_is_the_same_turned(layer, x64, rng):
    x = rng.normal(size=(2, 5, 6, 4))
    params, state = perturbed(layer, x)
    run = lambda layer, x: layer.apply(params, state, x, train=True)
    first, state_first = run(layer.but(channels_first=True), np.moveaxis(x, -1, 1))
    last, state_last = run(layer, x)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, atol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), state_first, state_last)


def test_statistics_and_sigma_stay_float32_in_a_narrow_network():
    x = jnp.ones((4, 6), jnp.bfloat16)
    for net, path in ((batch_norm(), ("var",)), (spectral_norm(fc(3)), ("spectral_norm", "kernel", "u"))):
        params, state = net.init(0, x)
        narrow = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
        y, after = net.apply(narrow, state, x, train=True)
        assert y.dtype == jnp.bfloat16
        for key in path:
            after = after[key]
        assert after.dtype == jnp.float32


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: batch_norm(momentum=1.5), None, ConfigError, "a momentum from 0 to 1"),
        (lambda: layer_norm(3), (5,), ShapeError, "of at least 3 axes"),
        (lambda: layer_norm(0), None, ConfigError, "at least one axis"),
        (lambda: rms_norm(0), None, ConfigError, "at least one axis"),
        (lambda: group_norm(4), (5, 6), ShapeError, "channels divisible by 4 groups, got 6 channels"),
        (lambda: group_norm(0), None, ConfigError, "at least one group"),
        (lambda: instance_norm(), (6,), ShapeError, r"\(batch, steps, channels\).*add the missing axis"),
        (lambda: local_response_norm(0), None, ConfigError, "a size of at least 1"),
        (lambda: standardize(0.5, 0), None, ConfigError, "a std above 0"),
        (lambda: standardize((1, 2), 1), (5, 3), ShapeError, "a std for each of 3 channels"),
        (lambda: weight_norm(layer_norm()), (5,), ConfigError, "a layer with kernels inside"),
        (lambda: spectral_norm(fc(3), iterations=0), None, ConfigError, "at least one iteration"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match="(?s)" + text):
        build().out(shape)


@pytest.mark.parametrize("layer", [batch_norm(), layer_norm(), rms_norm(), group_norm(1), instance_norm()])
def test_integers_are_refused(layer):
    with pytest.raises(DtypeError, match="a floating-point input"):
        layer.init(0, jnp.ones((2, 3, 4), int))
