"""Gradients that a source defines itself, which a graph does not hold: they are refused, TensorFlow's own are not."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


@tf.custom_gradient
def clipped(x):
    return x * 2, lambda g: tf.clip_by_value(g, -0.1, 0.1)


OWN = {
    "in the function": clipped,
    "in an inner function": tf.function(lambda x: clipped(x) + 1),
    "of another": tf.grad_pass_through(tf.round),
}


@pytest.mark.parametrize("name", OWN)
def test_they_are_refused_with_their_line(name):
    w = tf.Variable(np.eye(3, dtype=np.float32))
    with pytest.raises(PortError, match=r"gradients that TensorFlow derives.*stop_gradient"):
        port.from_tf(tf.function(lambda x: OWN[name](x @ w)), X)


def test_those_of_tensorflow_are_derivatives():
    w = tf.Variable(np.eye(3, dtype=np.float32))
    ported = port.from_tf(tf.function(lambda x: tf.recompute_grad(lambda y: tf.tanh(y @ w))(tf.nn.silu(x))), X)
    assert ported.verify("gradients").ok and str(ported.net) == "compose_seq(silu, fc(3, tanh, bias=False))"
