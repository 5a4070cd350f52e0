"""Convolution: any window against PyTorch, Keras's and Flax's conventions, the forms chosen, and errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import conv, conv_transpose, depthwise_conv, separable_conv
from compose.core.errors import ConfigError, DtypeError, ShapeError
from tests.cases.case import Case
from tests.cases.conv import convolved
from tests.cases.in_torch import prove

BOUNDED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def drawn_convolutions(draw, low_padding: int = 0):
    rank = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))
    size, stride, dilation, padding = each(1, 3), each(1, 3), each(1, 2), each(low_padding, 2)
    space = tuple(draw(st.integers((k - 1) * d + 1, 7)) for k, d in zip(size, dilation))
    groups = draw(st.sampled_from([1, 2, 4]))
    return (2, *space, 4), size, stride, padding, dilation, groups


@pytest.mark.slow
@given(drawn_convolutions())
@BOUNDED
def test_any_convolution_is_torch(x64, drawn):
    shape, size, stride, padding, dilation, groups = drawn
    layer = conv(8, size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    prove(Case(layer, (shape,)), convolved(stride, padding, dilation, groups))


def same_as_keras(layer, theirs, x, to_theirs):
    """`to_theirs` gives Keras's weights for our parameters."""
    params, _ = layer.init(0, x)
    params = jax.tree.map(lambda a: a + 0.1, params)
    theirs.build(x.shape)
    theirs.set_weights(to_theirs(params))
    np.testing.assert_allclose(layer.apply(params, {}, x)[0], theirs(x), atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"padding": "same"}, {"padding": "same", "strides": 2}, {"dilation_rate": 2}])
@pytest.mark.parametrize("length", [6, 7])
def test_conv_and_depthwise_are_keras(options, length, x64, rng):
    x = rng.normal(size=(2, length, length + 1, 3))
    names = {"strides": "stride", "dilation_rate": "dilation", "padding": "padding"}
    given = {"padding": "valid"} | {names[k]: v for k, v in options.items()}
    theirs = keras.layers.Conv2D(4, 3, dtype="float64", **options)
    same_as_keras(conv(4, 3, **given), theirs, x, lambda p: [p["kernel"], p["bias"]])
    theirs = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, dtype="float64", **options)
    kernel = lambda p: [p["kernel"].reshape(3, 3, 3, 2), p["bias"]]
    same_as_keras(depthwise_conv(3, multiplier=2, **given), theirs, x, kernel)


@pytest.mark.parametrize("stride", [1, 2])
def test_causal_is_keras_and_sees_no_later_step(stride, x64, rng):
    x = rng.normal(size=(2, 9, 3))
    layer = conv(4, 3, stride=stride, padding="causal")
    theirs = keras.layers.Conv1D(4, 3, stride, padding="causal", dtype="float64")
    same_as_keras(layer, theirs, x, lambda p: [p["kernel"], p["bias"]])
    params, _ = layer.init(0, x)
    slope = jax.grad(lambda x: layer.apply(params, {}, x)[0][:, 1].sum())(jnp.asarray(x))
    assert np.any(slope[:, stride]) and not np.any(slope[:, stride + 1 :])


def test_separable_is_keras(x64, rng):
    x = rng.normal(size=(2, 7, 6, 3))
    theirs = keras.layers.SeparableConv2D(5, 3, 2, "same", depth_multiplier=2, dtype="float64")
    weights = lambda p: [
        p["depthwise"]["kernel"].reshape(3, 3, 3, 2),
        p["pointwise"]["kernel"],
        p["pointwise"]["bias"],
    ]
    same_as_keras(separable_conv(5, 3, stride=2, multiplier=2), theirs, x, weights)


def test_same_with_stride_two_is_not_padding_one(x64, rng):
    x = rng.normal(size=(1, 6, 1))
    params, _ = conv(1, 3).init(0, x)
    same, one = (conv(1, 3, stride=2, padding=p).apply(params, {}, x)[0] for p in ("same", 1))
    assert same.shape == one.shape and np.abs(same - one).max() > 0.1


@pytest.mark.parametrize(
    "layer",
    [
        conv(4, 3, stride=2),
        conv(4, 1),
        conv(4, 3, groups=2),
        depthwise_conv(3, multiplier=2),
        separable_conv(4, 3),
        conv_transpose(4, 3, stride=2, padding=1),
    ],
)
def test_channels_first_is_the_same_turned(layer, x64, rng):
    x = rng.normal(size=(2, 6, 7, 4))
    params, _ = layer.init(0, x)
    params = jax.tree.map(lambda a: a + 0.1, params)
    first = layer.but(channels_first=True).apply(params, {}, np.moveaxis(x, -1, 1))[0]
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), layer.apply(params, {}, x)[0], atol=1e-12)


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: conv(4, (3, 3)), (8, 3), ShapeError, r"\(batch, height, width, channels\), got shape \(1, 8, 3\)"),
        (lambda: conv(4, 3, padding=(1, 1)), (8, 3), ShapeError, r"\(batch, height, width, channels\), got shape"),
        (lambda: conv(4, (3, 3), stride=(1, 1, 1)), (8, 8, 3), ConfigError, r"2 of them, got \(1, 1, 1\)"),
        (lambda: conv(4, 9, padding="valid"), (8, 3), ShapeError, "at least as long as the window of 9, got 8"),
        (lambda: conv(4, 3, padding=-1), (8, 3), ConfigError, "padding of at least 0"),
        (lambda: conv(4, 3, groups=2), (8, 3), ShapeError, "channels divisible by 2 groups, got 3 channels"),
        (lambda: conv(4, 3, groups=3), None, ConfigError, "filters divisible by groups, got 4 filters, 3 groups"),
        (lambda: conv(0, 3), None, ConfigError, "filters, a number of at least 1, got 0"),
        (lambda: conv(4, 0), (8, 3), ConfigError, "a kernel that is an int of at least 1, or 1 of them, got 0"),
        (lambda: conv(4, 3, stride=0), (8, 3), ConfigError, "a stride that is an int of at least 1"),
        (lambda: conv(4, 3, padding="SAME"), None, ConfigError, "'same' or 'valid' or 'causal'"),
        (lambda: conv(4, 3), (3,), ShapeError, "add the missing axis with reshape"),
        (lambda: depthwise_conv(3, multiplier=0), None, ConfigError, "a multiplier of at least 1"),
        (lambda: separable_conv(0, 3), None, ConfigError, "filters, a number of at least 1"),
        (lambda: conv_transpose(4, 3, padding="causal"), None, ConfigError, '"same", "valid" or numbers'),
        (lambda: conv_transpose(4, 3, output_padding=-1), None, ConfigError, "output_padding of at least 0"),
        (lambda: conv_transpose(4, 3, padding=5), (2, 3), ShapeError, "padding that leaves some output"),
        (lambda: conv_transpose(4, 3, padding=(1, 1)), (8, 3), ShapeError, r"\(batch, height, width, channels\)"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match="(?s)" + text):
        build().out(shape)


def test_integers_are_refused():
    with pytest.raises(DtypeError, match="a floating-point input"):
        conv(4, 3).init(0, jnp.ones((1, 8, 8, 3), int))
