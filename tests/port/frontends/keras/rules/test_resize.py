"""Resizing that keeps the ratio of an image's sides."""

from __future__ import annotations

import pytest

from compose import port

keras = pytest.importorskip("keras")


@pytest.mark.parametrize(
    "shape, options, said",
    [
        ((9, 4, 2), {"crop_to_aspect_ratio": True}, "crop(((1, 2), (0, 0)))"),
        ((9, 4, 2), {"pad_to_aspect_ratio": True, "fill_value": 3.0}, "pad(((0, 0), (1, 1)), value=3.0)"),
        (
            (2, 4, 9),
            {"pad_to_aspect_ratio": True, "data_format": "channels_first"},
            "pad(((4, 4), (0, 0)), channels_first=True)",
        ),
        ((6, 4, 2), {"crop_to_aspect_ratio": True}, None),
        ((9, 4, 2), {"interpolation": "nearest", "antialias": True}, None),
    ],
)
def test_resizing(shape, options, said):
    ported = port.from_keras(keras.Sequential([keras.Input(shape), keras.layers.Resizing(6, 4, **options)]))
    assert said is None or said in str(ported.net)
    assert ported.verify("gradients").ok
