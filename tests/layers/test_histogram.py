"""Equalization against Keras, which computes it in float32, on images of 8 bits and of any value, and errors."""

import numpy as np
import pytest

from compose import clahe, equalize
from compose.core.errors import ConfigError, DtypeError, ShapeError

keras = pytest.importorskip("keras")
UNIT = {"value_range": (0, 1)}


@pytest.fixture(params=["8 bits", "any value"])
def images(request, rng):
    shape = (2, 19, 22, 3)
    values = rng.integers(20, 180, shape) / 255 if request.param == "8 bits" else rng.uniform(0.1, 0.7, shape)
    return values.astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("bins", [10, 52, 256])
def test_equalize_is_keras_on_each_image(bins, images):
    theirs = keras.layers.Equalization(bins=bins, **UNIT)
    for ours, image in zip(equalize(bins=bins)(images), images):
        np.testing.assert_allclose(ours, theirs(image, training=True), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("limit, grid", [(4.0, (8, 8)), (5.0, (2, 3)), (0.0, (1, 4))])
def test_clahe_is_keras(limit, grid, images):
    theirs = keras.layers.ContrastLimitedAdaptiveHistogramEqualization(clip_limit=limit, tile_grid_size=grid, **UNIT)
    np.testing.assert_allclose(clahe(limit, grid)(images), theirs(images), rtol=0, atol=2e-6)


def test_a_constant_channel_stays(images):
    images[1, ..., 2] = 0.3
    assert np.array_equal(equalize(images)[1, ..., 2], images[1, ..., 2])


@pytest.mark.slow
def test_one_image_does_not_touch_another(images):
    for net in (equalize, clahe()):
        np.testing.assert_allclose(net(images)[1:], net(images[1:]), rtol=0, atol=1e-6)


def test_errors():
    with pytest.raises(ConfigError, match="clip limit"):
        clahe(-1.0)
    with pytest.raises(ConfigError, match="two numbers of tiles"):
        clahe(grid=(0, 8))
    for net in (equalize, clahe()):
        with pytest.raises(DtypeError):
            net.out(np.zeros((1, 4, 4, 1), np.uint8))
        with pytest.raises(ShapeError):
            net.out(np.zeros((4, 4), np.float32))
