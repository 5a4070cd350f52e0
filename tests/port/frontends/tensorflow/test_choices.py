"""`tf.cond` by data, proven in both branches and against the functions themselves."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from compose import port

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype(np.float32)
W, V, B = (tf.Variable(RNG.normal(size=s).astype(np.float32)) for s in ((4, 4), (4, 4), (4,)))


def two(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.tanh(x @ W + B), lambda: x @ V)


def several(x):
    a, c = tf.cond(tf.reduce_max(x) > 1.5, lambda: (x @ W, x * x), lambda: (x, tf.zeros_like(x)))
    return a + c


def shared(x):
    h = x @ W
    return tf.cond(tf.reduce_sum(h) > 0, lambda: tf.nn.relu(h @ W), lambda: h @ W)


def nested(x):
    inner = lambda: tf.cond(tf.reduce_max(x) > 1.0, lambda: x @ W, lambda: x + B)
    return tf.cond(tf.reduce_sum(x) > 0, inner, lambda: x @ V)


def bias(x):  # which is no bias of the product, since the other way has none
    h = x @ W
    return tf.cond(tf.reduce_max(x) > 2.0, lambda: h + B, lambda: h)


@pytest.mark.slow
@pytest.mark.parametrize("fn", [two, several, shared, nested, bias])
def test_both_ways_are_those_of_the_function(fn):
    ported = port.from_tf(tf.function(fn), X)
    assert ported.verify("gradients").rows[-1].check == "branches"
    for x in (X, -X, 3 * X, 0 * X, abs(X), -abs(X), X[:1] - 0.1):
        made = ported.net.apply(ported.params, ported.state, x)[0]
        np.testing.assert_allclose(made, fn(tf.constant(x)), rtol=1e-5, atol=1e-5)


def test_what_one_way_needs_is_within_it():
    ported = port.from_tf(tf.function(two), X)
    assert "choose(fc(4, tanh), fc(4, bias=False))" in str(ported.net)
