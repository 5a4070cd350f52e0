"""Convolutions of TensorFlow, with their gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import (
    DEPTHWISE,
    IMAGE,
    KERNEL,
    STEPS,
    UP,
    UP_1D,
    UP_3D,
    VOLUME,
    proven,
)

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

WINDOWS = {
    "conv(5, 3, padding=\"valid\", dilation=2, bias=False)": lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", dilations=2),
    "conv(5, 3, dilation=2, bias=False)": lambda x: tf.nn.atrous_conv2d(x, KERNEL, 2, "SAME"),
    "depthwise_conv(3, multiplier=2, dilation=2, bias=False)": lambda x: tf.nn.depthwise_conv2d(
        x, DEPTHWISE, [1, 1, 1, 1], "SAME", dilations=[2, 2]
    ),
    "compose_seq( ensure_shape(None, 6, 8, None), "
    "conv_transpose(5, 3, stride=2, padding=((0, 1), (1, 1)), bias=False), )": lambda x: (
        tf.nn.conv2d_transpose(x, UP, [x.shape[0], 12, 15, 5], 2)
    ),
}  # fmt: skip
OVER = {
    "compose_seq(ensure_shape(3, 4, 6), conv_transpose(5, 3, stride=2, bias=False))": (
        lambda x: tf.nn.conv1d_transpose(x, UP_1D, [3, 8, 5], 2),
        STEPS,
    ),
    "compose_seq( ensure_shape(None, 4, 4, 4, None), conv_transpose(4, 2, stride=2, bias=False), )": (
        lambda x: tf.nn.conv3d_transpose(x, UP_3D, [x.shape[0], 8, 8, 8, 4], [1, 2, 2, 2, 1]),
        VOLUME,
    ),
}


@pytest.mark.parametrize("text", WINDOWS)
def test_over_images(text):
    assert " ".join(str(proven(WINDOWS[text], IMAGE).net).split()) == text


@pytest.mark.parametrize("text", OVER)
def test_over_time_and_volumes(text):
    assert " ".join(str(proven(*OVER[text]).net).split()) == text
