"""Kernels of convolutions that are parts of variables, or these in another shape or order of axes, or of two layers."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 7, 4)).astype(np.float32)
SIZES = {"k": (3, 3, 4, 4), "m": (4, 4), "b": (4, 2), "t": (10, 4)}


class Holder(tf.Module):
    def __init__(self, fn):
        super().__init__()
        draw = lambda shape: RNG.normal(size=shape).astype(np.float32)
        self.k, self.m, self.b, self.t = (tf.Variable(draw(shape), name=name) for name, shape in SIZES.items())
        self.fn = fn

    @tf.function
    def __call__(self, x):
        return self.fn(self, x)


def conv(x, kernel, stride=1, padding="VALID"):
    return tf.nn.conv2d(x, kernel, stride, padding)


def back(x, kernel, stride=1, padding="VALID", size=(6, 7)):
    return tf.nn.conv2d_transpose(tf.tanh(x), kernel, tf.stack([tf.shape(x)[0], *size, 4]), stride, padding)


def turned(kernel):
    return tf.transpose(kernel, (0, 1, 3, 2))


CASES = {
    "turned": lambda m, x: conv(x, turned(m.k)),
    "rows": lambda m, x: conv(x, m.k[:2]),
    "a matrix": lambda m, x: conv(x, m.m[None, None]),
    "a matrix turned": lambda m, x: conv(x, tf.transpose(m.m)[None, None]),
    "transposed, turned": lambda m, x: back(x, turned(m.k), size=(8, 9)),
    "twice": lambda m, x: conv(tf.tanh(conv(x, m.k)), turned(m.k)),
    "twice, padded unevenly": lambda m, x: conv(tf.tanh(conv(x, m.k, 1, "SAME")), turned(m.k), 2, "SAME"),
    "there and back": lambda m, x: back(conv(x, m.k), m.k),
    "there and back, strided": lambda m, x: back(conv(x, m.k, 2), m.k, 2),
    "a column as the bias": lambda m, x: tf.nn.bias_add(conv(x, m.k), m.b[:, 1]),
    "rows of a table": lambda m, x: tf.gather(m.t[2:8], tf.cast(x[:, 0, 0] > 0, tf.int32)),
    "rows of a table that is computed": lambda m, x: tf.gather(m.t * 2 - 1, tf.cast(x[:, 0, 0] > 0, tf.int32)),
    "columns of a product": lambda m, x: tf.gather(m.m @ tf.transpose(m.t), tf.cast(x[:, 0, 0] > 0, tf.int32), axis=1),
    "rows of batch norm": lambda m, x: tf.nn.batch_normalization(x, m.b[:, 0], m.b[:, 1] ** 2, m.m[0], m.m[2], 1e-3),
}


@proofs(CASES, level="steps")
def test_equal(name, level):
    assert port.from_tf(Holder(CASES[name]), X).verify(level).ok


def test_a_kernel_of_two_layers_that_is_cut_unevenly_is_refused():
    model = Holder(lambda m, x: back(conv(x, m.k, 2, "SAME"), m.k, 2, "SAME"))
    with pytest.raises(PortError, match="'k' is used by layers that differ"):
        port.from_tf(model, X)
