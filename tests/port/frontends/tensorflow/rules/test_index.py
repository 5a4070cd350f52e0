"""Gathers of TensorFlow, with their gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import PLACES, STEPS, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

CASES = {
    "places": (lambda x: tf.gather(x, [2, 0], axis=1) + tf.gather(x, [1, 3], axis=1), STEPS),
    "places of each": (lambda x, i: tf.gather(x, i, axis=1, batch_dims=1), (STEPS, PLACES)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    proven(*CASES[name])
