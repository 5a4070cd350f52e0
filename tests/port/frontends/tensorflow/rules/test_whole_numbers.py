"""Places that a function computes on."""

from __future__ import annotations

import tensorflow as tf

from compose import port
from tests.port.frontends.whole_numbers import KERNEL, X, places

KINDS = (lambda array: tf.constant(array, tf.int32), tf.maximum, tf.minimum, tf.clip_by_value, tf.where)


def test_places_stay_whole_numbers():
    kernel = tf.Variable(KERNEL)

    @tf.function
    def model(x):
        h = tf.transpose(x @ kernel, (0, 2, 1))
        made = places(tf.transpose(tf.argsort(h), (0, 2, 1)), *KINDS)
        last = [tf.transpose(at, (0, 2, 1)) for at in made]
        return sum((n + 1) / 10 * tf.gather(h, at, axis=2, batch_dims=2) for n, at in enumerate(last))

    assert port.from_tf(model, X).verify("step").ok


def test_take_along_axis_of_numpy():
    kernel = tf.Variable(KERNEL)

    @tf.function
    def model(x):
        h = x @ kernel
        return tf.experimental.numpy.take_along_axis(h, tf.argsort(h, 1), 1)

    assert port.from_tf(model, X).verify("step").ok
