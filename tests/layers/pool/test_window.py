"""Pooling: any window against PyTorch, ties, integers, Keras's padding, and errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import (
    adaptive_avg_pool,
    avg_pool,
    global_avg_pool,
    lp_pool,
    max_pool,
)
from compose.core.errors import ConfigError, DtypeError, ShapeError
from compose.layers.pool.window import largest, lowest, pool_window
from tests.cases.case import Case
from tests.cases.in_torch import prove
from tests.cases.pool import AVG, MAX, pooled

BOUNDED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def windows(draw, dilated: bool):
    """An input of one to three spatial axes and a window that fits it."""
    rank = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))
    size, stride = each(1, 3), each(1, 4)
    dilation = each(1, 2) if dilated else (1,) * rank
    padding = tuple(draw(st.integers(0, k // 2)) for k in size)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    space = tuple(draw(st.integers(span, span + 5)) for span in spans)
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 4, (2, *space, 2)).astype(float)
    return values, size, stride, padding, dilation, draw(st.booleans())


@pytest.mark.slow
@given(windows(dilated=True))
@BOUNDED
def test_max_pool_and_its_ties_are_torch(x64, drawn):
    x, size, stride, padding, dilation, ceil = drawn
    layer = max_pool(size, stride, padding, dilation, ceil_mode=ceil)
    prove(Case(layer, (x,)), pooled(MAX, size, stride, padding, dilation, ceil))


@given(windows(dilated=False), st.booleans())
@BOUNDED
def test_avg_pool_is_torch(x64, drawn, count):
    x, size, stride, padding, _, ceil = drawn
    layer = avg_pool(size, stride, padding, ceil, count)
    prove(Case(layer, (x,)), pooled(AVG, size, stride, padding, ceil, count))


@pytest.mark.parametrize("length", [6, 7])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_by_name_is_keras(length, padding, x64, rng):
    x = rng.normal(size=(2, length, length + 1, 3))
    pools = {max_pool: keras.layers.MaxPooling2D, avg_pool: keras.layers.AveragePooling2D}
    for ours, theirs in pools.items():
        layer = ours(3, 2, padding, **({"count_padding": False} if ours is avg_pool else {}))
        np.testing.assert_allclose(layer(x), theirs(3, 2, padding, dtype="float64")(x), atol=1e-12)


@pytest.mark.slow
def test_channels_first_is_the_same_turned(x64, rng):
    x = rng.normal(size=(2, 3, 8, 9))
    turned = lambda y: np.moveaxis(y, 1, -1)
    for layer in (max_pool(3, 2, 1), avg_pool(3, 2, 1), lp_pool(2), adaptive_avg_pool(3), global_avg_pool):
        first = layer(x, channels_first=True) if layer is global_avg_pool else layer.but(channels_first=True)(x)
        np.testing.assert_allclose(turned(first) if first.ndim > 2 else first, layer(turned(x)), atol=1e-12)


def test_max_pool_takes_integers():
    x = jnp.arange(-8, 8).reshape(1, 4, 4, 1)
    assert np.array_equal(max_pool(2, padding=1)(x)[0, ..., 0], [[-8, -6, -5], [0, 2, 3], [4, 6, 7]])


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("dilation", [1, 2])
def test_nan_is_the_largest(at, dilation):
    x = jnp.arange(4.0).at[at].set(jnp.nan).reshape(1, 4, 1)
    seen = {1: [[0, 1], [1, 2], [2, 3]], 2: [[0, 2], [1, 3]]}[dilation]
    y = max_pool(2, 1, dilation=dilation)(x)[0, :, 0]
    assert np.array_equal(np.isnan(y), [at in window for window in seen])


def test_the_form_for_a_cpu_is_reduce_window(x64, rng):
    x = jnp.asarray(rng.integers(0, 4, (2, 9, 8, 3)).astype(float))
    over = pool_window(max_pool(3, 2, 1), x)
    forms = (lambda x: largest(x, over, lowest(x.dtype)), lambda x: over.reduce(x, lowest(x.dtype), jax.lax.max))
    (y, back), (want, want_back) = (jax.vjp(form, x) for form in forms)
    way = jnp.asarray(rng.normal(size=y.shape))
    assert np.array_equal(y, want)
    np.testing.assert_allclose(back(way)[0], want_back(way)[0], atol=1e-12)


def test_lp_pool_of_zeros_has_gradient_zero():
    slope = jax.grad(lambda x: lp_pool(2)(x).sum())(jnp.zeros((1, 4, 4, 1)))
    assert np.array_equal(slope, np.zeros((1, 4, 4, 1)))


def test_lp_pool_of_odd_power_takes_the_absolute_value(x64):
    y = lp_pool(3)(jnp.array([1.0, -2.0]).reshape(1, 2, 1))
    assert y.item() == pytest.approx(9 ** (1 / 3))


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: max_pool((2, 2)), (8, 3), ShapeError, r"\(batch, height, width, channels\), got shape \(1, 8, 3\)"),
        (lambda: max_pool(9), (8, 8, 3), ShapeError, "at least as long as the window of 9, got 8 with padding 0"),
        (lambda: max_pool(2, padding=2), (8, 3), ConfigError, "padding smaller than the window"),
        (lambda: max_pool((2, 2), stride=(1, 1, 1)), (8, 8, 3), ConfigError, r"2 of them, got \(1, 1, 1\)"),
        (lambda: max_pool(padding=-1), (8, 3), ConfigError, "padding of at least 0"),
        (lambda: max_pool(padding="full"), None, ConfigError, "'same' or 'valid' or 'causal'"),
        (lambda: lp_pool(0), None, ConfigError, "a power above 0"),
        (lambda: adaptive_avg_pool(0), None, ConfigError, "a size of at least 1"),
        (lambda: global_avg_pool, (3,), ShapeError, r"\(batch, steps, channels\) or .* add the missing axis"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match="(?s)" + text):
        build().out(shape)


@pytest.mark.parametrize("layer", [avg_pool(2), lp_pool(2), adaptive_avg_pool(2), global_avg_pool])
def test_integers_have_no_mean(layer):
    with pytest.raises(DtypeError, match="a floating-point input"):
        layer(jnp.ones((1, 4, 4, 1), int))


def test_torch_counts_padding_and_keras_does_not(x64):
    """Both are one option away; they differ wherever a window reaches into the padding."""
    x = jnp.ones((1, 4, 1))
    assert avg_pool(2, padding=1)(x)[0, 0, 0] == 0.5
    assert avg_pool(2, padding=1, count_padding=False)(x)[0, 0, 0] == 1
    assert torch.nn.functional.avg_pool1d(torch.ones(1, 1, 4), 2, padding=1)[0, 0, 0] == 0.5
