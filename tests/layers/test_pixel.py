"""Rearrangements between channels and space."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import (
    depth_to_space,
    pixel_shuffle,
    pixel_unshuffle,
    space_to_depth,
)

BOUNDED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.booleans())
@settings(BOUNDED, max_examples=6)
def test_pixels_come_back(rank, factor, channels, channels_first):
    x = np.random.default_rng(0).normal(size=(2, *range(2, 2 + rank), channels * factor**rank)).astype("float32")
    x = np.moveaxis(x, -1, 1) if channels_first else x
    for there, back in ((pixel_shuffle, pixel_unshuffle), (depth_to_space, space_to_depth)):
        assert np.array_equal(back(factor, channels_first)(there(factor, channels_first)(x)), x)
