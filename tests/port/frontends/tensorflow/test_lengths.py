"""Lengths that a function of TensorFlow reads: the network is right for others, or says that it has one length."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from compose import port
from compose.core.errors import ShapeError

RNG = np.random.default_rng(0)
X, LONGER = (RNG.normal(size=(2, n, 6)).astype(np.float32) for n in (4, 7))
K = tf.Variable(RNG.normal(size=(6, 6)).astype(np.float32))


def length(x):
    return tf.shape(x)[1]


FIXED = {
    "the last step": lambda x: x[:, length(x) - 1],
    "the first half": lambda x: x[:, : length(x) // 2],
    "a mean by hand": lambda x: tf.reduce_sum(x, 1) / tf.cast(length(x), tf.float32),
    "positions": lambda x: x + tf.cast(tf.range(length(x)), tf.float32)[:, None],
}
FREE = {
    "a mean": lambda x: tf.reduce_mean(x, 1),
    "attention": lambda x: tf.nn.softmax(x @ tf.transpose(x, (0, 2, 1))) @ x,
    "from the end": lambda x: x[:, -1],
}


def read(fn, length=None):
    signature = [tf.TensorSpec((None, length, 6), tf.float32)]
    function = tf.function(lambda x: fn(x @ K), input_signature=signature, autograph=False)
    p = port.from_tf(function, X)
    assert p.verify("gradients").ok
    return p, function


@pytest.mark.parametrize("name", FIXED)
def test_a_length_that_is_read_is_fixed(name):
    p, _ = read(FIXED[name])
    with pytest.raises(ShapeError, match="expected"):
        p.net.apply(p.params, p.state, LONGER)


def test_a_length_that_python_reads_is_fixed():
    p = port.from_tf(lambda x: (x @ K)[:, x.shape[1] - 1], X)
    assert p.verify("gradients").ok and "ensure_shape(None, 4, None)" in str(p.net)


@pytest.mark.parametrize("name", FREE)
def test_any_length(name):
    p, function = read(FREE[name])
    y, _ = p.net.apply(p.params, p.state, LONGER)
    np.testing.assert_allclose(y, function(LONGER), rtol=1e-4, atol=1e-5)
    assert "(5, 7, 6)" in str(p.verify("outputs"))


def test_a_signature_of_one_length():
    p, _ = read(FIXED["the last step"], 4)
    assert "ensure_shape" not in str(p.net)
