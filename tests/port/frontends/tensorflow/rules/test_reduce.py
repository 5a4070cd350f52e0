"""Reductions, scans, orders and entropies of TensorFlow, with their gradients in float64."""

from __future__ import annotations

import pytest

from tests.port.frontends.tensorflow.rules.single_operations import IDS, STEPS, X, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

CASES = {
    "l2_loss": (lambda x: x * tf.nn.l2_loss(x), X),
    "logsumexp": (lambda x: tf.reduce_logsumexp(x, 1) + tf.reduce_logsumexp(x, [1], keepdims=True)[:, 0], STEPS),
    "cumsum": (lambda x: tf.cumsum(x, 1) * tf.cumsum(x, 1, exclusive=True, reverse=True), STEPS),
    "cumprod": (lambda x: tf.math.cumprod(x, 1, reverse=True), X),
    "argmax": (lambda x: tf.one_hot(tf.argmax(x, -1), 6) * x + tf.one_hot(tf.argmin(x, -1), 6), X),
    "top_k": (lambda x: tf.math.top_k(x, 3)[0] * tf.gather(x, tf.math.top_k(x, 3)[1], batch_dims=1), X),
    "sort": (lambda x: tf.sort(x, -1, "DESCENDING") + tf.sort(x), X),
    "sigmoid_cross_entropy": (
        lambda x: tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.nn.sigmoid(x), logits=2 * x),
        X,
    ),
    "cross_entropy": (lambda x: tf.nn.softmax_cross_entropy_with_logits(labels=tf.nn.softmax(x), logits=2 * x), X),
    "sparse_cross_entropy": (
        lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x),
        (X, IDS),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    proven(*CASES[name])
