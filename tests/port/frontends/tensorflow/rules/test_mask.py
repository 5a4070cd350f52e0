"""Comparisons, choices and masks of TensorFlow, with their gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import STEPS, B, X, proven
from tests.port.frontends.tensorflow.test_lower import draw

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

CASES = {
    "a choice of a variable": (lambda x: tf.where(x > 0, x, B), X),
    "either": (lambda x: tf.where((x > 1) | (x < -1), x, -x), X),
    "a mask": (lambda x: tf.cast(x > 0, tf.float32) * x, X),
    "any": (lambda x: tf.where(tf.reduce_any(x > 1, 1, keepdims=True), x, 2 * x), STEPS),
    "band": (lambda x: tf.linalg.band_part(x, 1, 0) + tf.linalg.trace(x)[:, None, None], draw(3, 4, 4)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    proven(*CASES[name])
