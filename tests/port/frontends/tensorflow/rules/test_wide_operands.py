"""Values beside constants and variables that are longer along an axis."""

from __future__ import annotations

import pytest
import tensorflow as tf

from compose import port
from tests.port.frontends.wide_operands import KERNEL, WIDE, X, operations

V = tf.Variable(WIDE)
ARRAYS = {
    "numbers": lambda x: tf.fill((4, 1), 0.7),
    "numbers like the input": lambda x: tf.fill(tf.shape(x), 0.7),
    "variables": lambda x: V,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_each_operation_repeats_the_value(name):
    kernel = tf.Variable(KERNEL)

    @tf.function
    def model(x):
        a = tf.reduce_mean(x @ kernel, 1, keepdims=True)
        total = lambda part: tf.reduce_sum(part, 1)
        return operations(a, ARRAYS[name](x), total, tf.maximum, tf.minimum, tf.where)

    assert port.from_tf(model, X).verify("step").ok
