"""Functions of each element of TensorFlow, with their gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.tensorflow.rules.single_operations import POSITIVE, B, X, proven

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

CASES = {
    "log1p": (tf.math.log1p, POSITIVE),
    "expm1": (tf.math.expm1, X),
    "tan": (tf.tan, X),
    "sinh": (tf.sinh, X),
    "asinh": (tf.asinh, X),
    "arc sine": (lambda x: tf.asin(x / 9), X),
    "erfc": (tf.math.erfc, X),
    "power of a number": (lambda x: 2.0**x, X),
    "rounding": (lambda x: tf.floor(x) * tf.math.ceil(x) + tf.round(x) + x, X),
    "modulo": (lambda x: tf.math.floormod(x, 2.0) * (x // 0.5), X),
    "straight through": (lambda x: x + tf.stop_gradient(tf.round(x) - x), X),
    "from 0": (lambda x: tf.maximum(x, 0.0), np.sign(X) * (X > -1)),
    "to 0": (lambda x: tf.maximum(0.0, x), np.sign(X) * (X > -1)),
    "clipped": (lambda x: tf.clip_by_value(0.2 * x + 0.5, 0, 1), X),
    "clipped by norm": (lambda x: tf.clip_by_norm(x, 1.0, axes=[1]), X),
    "a difference to a variable": (lambda x: tf.math.squared_difference(x, B) - (X[0] - x) / (1 + x * x), X),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    ported = proven(*CASES[name])
    if name == "to 0":
        assert str(ported.net) == "relu"


def test_the_clipped_is_one_word():
    assert str(port.from_tf(lambda x: tf.clip_by_value(x, -1.0, 2.0), X).net) == "clip(min=-1.0, max=2.0)"


@pytest.mark.parametrize(
    "function, said",
    [
        (lambda x: tf.math.divide_no_nan(x, x), "tf.where"),
        (lambda x: tf.gather_nd(x, [[0, 1]]), "tf.gather"),
        (lambda x: x[:2], "all of the batch"),
    ],
)
def test_what_is_refused_says_what_to_do(function, said):
    with pytest.raises(PortError, match=said):
        port.from_tf(function, X)
