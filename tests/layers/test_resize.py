"""Resampling, padding, patches and pixels: Keras's, JAX's and TensorFlow's conventions, and errors."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import (
    center_crop,
    channel_shuffle,
    crop,
    depth_to_space,
    fold,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    resize,
    space_to_depth,
    unfold,
    upsample,
)
from compose.core.errors import ConfigError, ShapeError
from tests.cases.case import Case
from tests.cases.in_torch import prove
from tests.cases.resize import interpolated

BOUNDED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LENGTHS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=3)


@pytest.mark.slow
@given(LENGTHS)
@BOUNDED
def test_any_nearest_and_linear_is_torch(x64, lengths):
    shape, size = (1, *(a for a, _ in lengths), 2), tuple(b for _, b in lengths)
    prove(Case(resize(size, "nearest"), (shape,)), interpolated("nearest-exact", size=size))
    prove(Case(resize(size, "nearest", coordinates="asymmetric"), (shape,)), interpolated("nearest", size=size))
    prove(Case(resize(size), (shape,)), interpolated(size=size))


@pytest.mark.parametrize("length", [7, 10, 49, 224])
def test_nearest_rounds_as_torch(length):
    """floor(i · scale) in float32 is not that of the exact fraction."""
    x = torch.arange(float(length))[None, None]
    for size in (3, 5, 29, 100, 300):
        for mode, options in (("nearest", {"coordinates": "asymmetric"}), ("nearest-exact", {})):
            want = torch.nn.functional.interpolate(x, size, mode=mode)[0, 0]
            got = resize(size, "nearest", **options)(jnp.arange(float(length))[None, :, None])[0, :, 0]
            assert np.array_equal(got, want), (size, mode)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("size", [(4, 9), (13, 3)])
def test_jax_image_resize(method, size, x64, rng):
    x = jnp.asarray(rng.normal(size=(2, 7, 8, 3)))
    for antialias in (False, True) if method != "nearest" else (False,):
        want = jax.image.resize(x, (2, *size, 3), method, antialias=antialias)
        np.testing.assert_allclose(resize(size, method, antialias)(x), want, atol=1e-12)


@pytest.mark.parametrize("theirs, ours", [("nearest", "nearest"), ("bilinear", "linear"), ("bicubic", "cubic")])
def test_keras_resizes_so(theirs, ours, rng):
    x = rng.normal(size=(2, 7, 8, 3)).astype("float32")
    np.testing.assert_allclose(upsample(2, ours)(x), keras.layers.UpSampling2D(2, interpolation=theirs)(x), atol=1e-5)
    np.testing.assert_allclose(resize((5, 9), ours)(x), keras.layers.Resizing(5, 9, theirs)(x), atol=1e-5)


def test_tensorflow_moves_and_resizes_so(rng):
    tf = pytest.importorskip("tensorflow")
    x = rng.normal(size=(2, 6, 4, 8)).astype("float32")
    assert np.array_equal(depth_to_space(2)(x), tf.nn.depth_to_space(x, 2))
    assert np.array_equal(space_to_depth(2)(x), tf.nn.space_to_depth(x, 2))
    v1 = tf.compat.v1.image
    for align, coordinates in ((False, "asymmetric"), (True, "align_corners")):
        want = v1.resize_bilinear(x, (9, 7), align_corners=align)
        np.testing.assert_allclose(resize((9, 7), coordinates=coordinates)(x), want, atol=1e-5)
        want = v1.resize_nearest_neighbor(x, (9, 7), align_corners=align)
        assert np.array_equal(resize((9, 7), "nearest", coordinates=coordinates)(x), want)


@pytest.mark.parametrize(
    "layer",
    [
        pad(((1, 2), 0)),
        pad(1, "reflect"),
        crop(1),
        center_crop(3),
        unfold(2),
        fold((7, 5), 2),
        pixel_shuffle(2),
        pixel_unshuffle(2),
        space_to_depth(2),
        depth_to_space(2),
        channel_shuffle(2),
        resize((3, 9)),
        upsample(2),
        upsample(2, "linear"),
    ],
    ids=str,
)
def test_channels_first_is_the_same_turned(layer, rng):
    x = rng.normal(size=(2, 6, 4, 8)).astype("float32")
    first = layer.but(channels_first=True)(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), layer(x), atol=1e-6)


def test_integers_pass_where_nothing_is_computed():
    x = jnp.arange(16).reshape(1, 2, 2, 4)
    for layer in (pad(1, value=7), crop(0), upsample(2), pixel_shuffle(2), channel_shuffle(2), unfold(2)):
        assert layer(x).dtype == x.dtype


def test_doubling_repeats():
    program = jax.make_jaxpr(upsample(2))(jnp.ones((1, 3, 3, 1)))
    assert "gather" not in str(program) and "dot_general" not in str(program)


@pytest.mark.parametrize(
    "build, shape, error, text",
    [
        (lambda: pad(((1, 2), 1)), (8, 3), ShapeError, r"\(batch, height, width, channels\), got shape \(1, 8, 3\)"),
        (lambda: pad(8, "reflect"), (8, 3), ShapeError, 'widths up to 7 for "reflect"'),
        (lambda: pad(9, "wrap"), (8, 3), ShapeError, 'widths up to 8 for "wrap"'),
        (lambda: pad(-1, "edge"), (8, 3), ConfigError, "widths of at least 0"),
        (lambda: pad(-4), (8, 3), ShapeError, "leave some of the input"),
        (lambda: pad(1, "edge", 1.0), None, ConfigError, "a value only with constant mode"),
        (lambda: pad(1, "zero"), None, ConfigError, "'constant' or 'reflect'"),
        (lambda: crop(4), (8, 3), ShapeError, "leave some of the input"),
        (lambda: crop(-1), (8, 3), ConfigError, r"use pad\(...\) to add values"),
        (lambda: center_crop(9), (8, 3), ShapeError, r"an input of at least \(9,\)"),
        (lambda: unfold(9), (8, 3), ShapeError, "at least as long as the window of 9"),
        (lambda: fold(8, 3), (8, 9), ShapeError, r"an input of shape \(1, 6, 9\), as from unfold"),
        (lambda: fold(8, 3), (6, 8), ShapeError, "channels divisible by the window size 3"),
        (lambda: pixel_shuffle(2), (4, 4, 6), ShapeError, "channels divisible by 4, got 6 channels"),
        (lambda: pixel_unshuffle(2), (4, 5, 1), ShapeError, "spatial axes divisible by 2"),
        (lambda: pixel_shuffle(0), None, ConfigError, "a factor of at least 1"),
        (lambda: channel_shuffle(4), (4, 6), ShapeError, "channels divisible by 4 groups"),
        (lambda: channel_shuffle(0), None, ConfigError, "at least one group"),
        (lambda: upsample(0), None, ConfigError, "a factor above 0"),
        (lambda: resize(0), (8, 3), ConfigError, "an int of at least 1"),
        (lambda: resize(8, "nearest", antialias=True), None, ConfigError, "antialias with a smooth method"),
    ],
)
def test_errors(build, shape, error, text):
    with pytest.raises(error, match="(?s)" + text):
        build().out(shape)
