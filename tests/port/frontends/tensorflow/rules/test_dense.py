"""Products of TensorFlow, with their gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import MATRIX, STEPS, X, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

CASES = {
    "outer": (lambda x: tf.einsum("bn,bm->bnm", x, x), X),
    "inner": (lambda x: tf.einsum("bn,bn->b", x, x), X),
    "three": (lambda x: tf.einsum("btn,bsn,bsk->btk", x, x, x), STEPS),
    "a matrix first": (lambda x: tf.einsum("mn,btn->btm", MATRIX, x), STEPS),
    "transposed twice": (lambda x: tf.matmul(x, tf.transpose(tf.transpose(MATRIX)), transpose_b=True), X),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    proven(*CASES[name])
