"""Resizing in ways that no layer has: pixels that are taken, or a product with a matrix that is not trained."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import ShapeError
from tests.port.frontends.onnx.passes.test_norms import draw, node, written

pytest.importorskip("onnxruntime")
IMAGE = ("n", 3, 6, 5)
CASES = {
    "ceil": {"mode": "nearest", "nearest_mode": "ceil"},
    "floor at corners": {
        "mode": "nearest",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": "align_corners",
    },
    "antialias": {"mode": "linear", "antialias": 1},
    "another cubic": {"mode": "cubic", "cubic_coeff_a": -0.6},
    "inside alone": {"mode": "cubic", "exclude_outside": 1},
}


def ported(options, shape=IMAGE, scales=(1, 1, 0.5, 1.4)):
    weights = {"w": draw(4, 3, 1, 1), "s": np.float32(scales)}
    nodes = [node("Conv", "x w", "h"), node("Resize", "h - s", **options)]
    return port.from_onnx(written(nodes, weights, shape, 19), draw(2, 3, 6, 5))


@pytest.mark.parametrize("name", CASES)
def test_equal_to_the_file_and_to_onnxruntime(name):
    made = ported(CASES[name])
    assert made.verify("gradients").ok
    text = str(made.net)
    assert ("at(" in text) == (CASES[name]["mode"] == "nearest") and "resize" not in text and "upsample" not in text
    assert text.count("einsum") == text.count("frozen")


def test_symmetric_half_pixels_of_a_length_that_is_cut_off():
    made = ported({"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}, scales=(1, 1, 0.7, 1.5))
    assert made.verify("gradients").ok and str(made.net).count("frozen(einsum") == 2


def test_lengths_are_multiplied_as_onnxruntime_does():
    """5 by the 1.4 of float32 is 7 in float32, and 6.9999999 in float64."""
    made = ported({"mode": "linear"}, scales=(1, 1, 1, 1.4))
    assert made.verify("gradients").ok and "resize((6, 7))" in str(made.net)


def test_an_axis_that_stays_is_left_out():
    assert str(ported(CASES["another cubic"], scales=(1, 1, 1, 2)).net).count("einsum") == 1


def test_another_length_is_refused_where_the_file_leaves_it_open():
    made = ported(CASES["ceil"], ("n", 3, "h", "w"))
    with pytest.raises(ShapeError, match="the only sizes that it is made for"):
        made.net.apply(made.params, made.state, np.zeros((2, 8, 5, 3), np.float32))
