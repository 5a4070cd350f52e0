"""Pooling of TensorFlow, with gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import VOLUME, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

OVER = {
    'max_pool(size=3, stride=2, padding="same")': (lambda x: tf.nn.max_pool3d(x, 3, 2, "SAME"), VOLUME),
    'avg_pool(size=3, stride=2, padding="same", count_padding=False)': (
        lambda x: tf.nn.avg_pool3d(x, 3, 2, "SAME"),
        VOLUME,
    ),
}


@pytest.mark.parametrize("text", OVER)
def test_over_volumes(text):
    assert " ".join(str(proven(*OVER[text]).net).split()) == text
