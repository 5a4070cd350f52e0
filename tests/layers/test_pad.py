"""Padding and cropping."""

import keras
import numpy as np
import pytest

from compose import (
    center_crop,
    crop,
    pad,
)


def test_keras_pads_and_crops_so(rng):
    x = rng.normal(size=(2, 7, 8, 3)).astype("float32")
    widths = ((1, 2), (0, 3))
    assert np.array_equal(pad(widths)(x), keras.layers.ZeroPadding2D(widths)(x))
    assert np.array_equal(crop(widths)(x), keras.layers.Cropping2D(widths)(x))
    assert np.array_equal(center_crop((4, 5))(x), keras.layers.CenterCrop(4, 5)(x))


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge", "wrap"])
def test_modes_are_those_of_numpy(mode):
    x = np.arange(4, dtype=np.float32)[None, :, None]
    assert np.array_equal(pad(3, mode)(x), np.pad(x, ((0, 0), (3, 3), (0, 0)), mode))
