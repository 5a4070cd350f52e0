"""Transposed convolutions against torch, Keras and Flax."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import linen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import conv, conv_transpose
from tests.cases.case import Case
from tests.cases.conv import transposed
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
@given(drawn_convolutions(), st.integers(0, 1))
@BOUNDED
def test_any_transposed_convolution_is_torch(x64, drawn, extra):
    shape, size, stride, _, dilation, groups = drawn
    extras = tuple(min(extra, max(s, d) - 1) for s, d in zip(stride, dilation))
    layer = conv_transpose(8, size, stride=stride, padding=0, output_padding=extras, dilation=dilation, groups=groups)
    prove(Case(layer, (shape,)), transposed(stride, 0, extras, groups, dilation))


def same_as_keras(layer, theirs, x, to_theirs):
    """`to_theirs` gives Keras's weights for our parameters."""
    params, _ = layer.init(0, x)
    params = jax.tree.map(lambda a: a + 0.1, params)
    theirs.build(x.shape)
    theirs.set_weights(to_theirs(params))
    np.testing.assert_allclose(layer.apply(params, {}, x)[0], theirs(x), atol=1e-12)


@pytest.mark.parametrize("size, stride", [(2, 1), (2, 3), (3, 2), (3, 3), (4, 2)])
@pytest.mark.parametrize("padding", ["same", "valid", "output"])
def test_conv_transpose_is_keras(size, stride, padding, x64, rng):
    x = rng.normal(size=(2, 5, 6, 3))
    turned = lambda p: [p["kernel"][::-1, ::-1].swapaxes(2, 3), p["bias"]]
    if padding == "output":
        cut = 2 * (size // 2) - (stride - 1)
        pads = (max(cut, 0) // 2, max(cut, 0) - max(cut, 0) // 2)
        ours = conv_transpose(4, size, stride=stride, padding=(pads, pads), output_padding=max(-cut, 0))
        theirs = keras.layers.Conv2DTranspose(4, size, stride, "same", output_padding=stride - 1, dtype="float64")
    else:
        ours = conv_transpose(4, size, stride=stride, padding=padding)
        theirs = keras.layers.Conv2DTranspose(4, size, stride, padding, dtype="float64")
    same_as_keras(ours, theirs, x, turned)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_flax_kernels_are_ours(padding, stride, x64, rng):
    x = jnp.asarray(rng.normal(size=(2, 7, 6, 4)))
    ours = conv(6, (3, 3), stride=stride, padding=padding.lower(), groups=2)
    theirs = linen.Conv(6, (3, 3), stride, padding, feature_group_count=2, param_dtype=float)
    params, _ = ours.init(0, x)
    np.testing.assert_allclose(ours.apply(params, {}, x)[0], theirs.apply({"params": params}, x), atol=1e-12)
    ours = conv_transpose(6, (3, 4), stride=stride, padding=padding.lower())
    theirs = linen.ConvTranspose(6, (3, 4), (stride, stride), padding, param_dtype=float)
    params, _ = ours.init(0, x)
    np.testing.assert_allclose(ours.apply(params, {}, x)[0], theirs.apply({"params": params}, x), atol=1e-12)
