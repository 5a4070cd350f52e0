"""Operations of TensorFlow that reshape, repeat, pad and move, with their gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import IMAGE, STEPS, X, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

CASES = {
    "tile": (lambda x: tf.tile(x, [1, 3, 2]), STEPS),
    "repeat": (lambda x: tf.repeat(x, 2, axis=1), X),
    "roll": (lambda x: tf.roll(x, [2, -1], [1, 2]), STEPS),
    "pad of a row": (lambda x: tf.pad(x, [[0, 0], [1, 2]]), X),
    "pad of channels": (lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0], [2, 1]], constant_values=1.0), IMAGE),
    "symmetric pad": (lambda x: tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]], "SYMMETRIC"), IMAGE),
    "rot90": (tf.image.rot90, IMAGE),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    proven(*CASES[name])
