"""TensorFlow's operations one by one, proven with their gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.tensorflow.test_lower import RNG, draw, variable

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

X, STEPS, IMAGE, VOLUME = (draw(*shape) for shape in ((3, 6), (3, 4, 6), (2, 6, 8, 4), (2, 4, 4, 4, 3)))
POSITIVE, IDS, PLACES = np.abs(X) + 0.5, np.array([0, 3, 2], "int32"), RNG.integers(0, 4, (3, 2)).astype("int32")
B, KERNEL, DEPTHWISE = variable(6), variable(3, 3, 4, 5), variable(3, 3, 4, 2)
UP, UP_1D, UP_3D, MATRIX = variable(3, 3, 5, 4), variable(3, 5, 6), variable(2, 2, 2, 4, 3), variable(5, 6)

EACH = {
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
    "a choice of a variable": (lambda x: tf.where(x > 0, x, B), X),
    "either": (lambda x: tf.where((x > 1) | (x < -1), x, -x), X),
    "a mask": (lambda x: tf.cast(x > 0, tf.float32) * x, X),
    "any": (lambda x: tf.where(tf.reduce_any(x > 1, 1, keepdims=True), x, 2 * x), STEPS),
}
ALONG = {
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
MOVED = {
    "tile": (lambda x: tf.tile(x, [1, 3, 2]), STEPS),
    "repeat": (lambda x: tf.repeat(x, 2, axis=1), X),
    "roll": (lambda x: tf.roll(x, [2, -1], [1, 2]), STEPS),
    "pad of a row": (lambda x: tf.pad(x, [[0, 0], [1, 2]]), X),
    "pad of channels": (lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0], [2, 1]], constant_values=1.0), IMAGE),
    "symmetric pad": (lambda x: tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]], "SYMMETRIC"), IMAGE),
    "places": (lambda x: tf.gather(x, [2, 0], axis=1) + tf.gather(x, [1, 3], axis=1), STEPS),
    "places of each": (lambda x, i: tf.gather(x, i, axis=1, batch_dims=1), (STEPS, PLACES)),
    "band": (lambda x: tf.linalg.band_part(x, 1, 0) + tf.linalg.trace(x)[:, None, None], draw(3, 4, 4)),
    "rot90": (tf.image.rot90, IMAGE),
    "outer": (lambda x: tf.einsum("bn,bm->bnm", x, x), X),
    "inner": (lambda x: tf.einsum("bn,bn->b", x, x), X),
    "three": (lambda x: tf.einsum("btn,bsn,bsk->btk", x, x, x), STEPS),
    "a matrix first": (lambda x: tf.einsum("mn,btn->btm", MATRIX, x), STEPS),
    "transposed twice": (lambda x: tf.matmul(x, tf.transpose(tf.transpose(MATRIX)), transpose_b=True), X),
}
WINDOWS = {
    "conv(5, 3, padding=\"valid\", dilation=2, bias=False)": lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", dilations=2),
    "conv(5, 3, dilation=2, bias=False)": lambda x: tf.nn.atrous_conv2d(x, KERNEL, 2, "SAME"),
    "depthwise_conv(3, multiplier=2, dilation=2, bias=False)": lambda x: tf.nn.depthwise_conv2d(
        x, DEPTHWISE, [1, 1, 1, 1], "SAME", dilations=[2, 2]
    ),
    "conv_transpose(5, 3, stride=2, padding=((0, 1), (1, 1)), bias=False)": lambda x: (
        tf.nn.conv2d_transpose(x, UP, [x.shape[0], 12, 15, 5], 2)
    ),
    "local_response_norm(5, alpha=2.5)": lambda x: tf.nn.lrn(x, 2, 1.0, 0.5, 0.75),
}  # fmt: skip
OVER = {
    "conv_transpose(5, 3, stride=2, bias=False)": (lambda x: tf.nn.conv1d_transpose(x, UP_1D, [3, 8, 5], 2), STEPS),
    "conv_transpose(4, 2, stride=2, bias=False)": (
        lambda x: tf.nn.conv3d_transpose(x, UP_3D, [x.shape[0], 8, 8, 8, 4], [1, 2, 2, 2, 1]),
        VOLUME,
    ),
    'max_pool(size=3, stride=2, padding="same")': (lambda x: tf.nn.max_pool3d(x, 3, 2, "SAME"), VOLUME),
    'avg_pool(size=3, stride=2, padding="same", count_padding=False)': (
        lambda x: tf.nn.avg_pool3d(x, 3, 2, "SAME"),
        VOLUME,
    ),
}


def proven(function, inputs):
    ported = port.from_tf(function, *(inputs if isinstance(inputs, tuple) else (inputs,)))
    assert ported.verify("gradients").ok
    return ported


@pytest.mark.parametrize("name", EACH)
def test_each_element(name):
    ported = proven(*EACH[name])
    if name == "to 0":
        assert str(ported.net) == "relu"


@pytest.mark.parametrize("name", ALONG)
def test_along_an_axis(name):
    proven(*ALONG[name])


@pytest.mark.parametrize("name", MOVED)
def test_moved(name):
    proven(*MOVED[name])


@pytest.mark.parametrize("text", WINDOWS)
def test_over_images(text):
    assert " ".join(str(proven(WINDOWS[text], IMAGE).net).split()) == text


@pytest.mark.parametrize("text", OVER)
def test_over_time_and_volumes(text):
    assert " ".join(str(proven(*OVER[text]).net).split()) == text


def test_the_clipped_is_one_word():
    assert str(port.from_tf(lambda x: tf.clip_by_value(x, -1.0, 2.0), X).net) == "clip(low=-1.0, high=2.0)"


@pytest.mark.parametrize(
    "function, said",
    [
        (lambda x: tf.math.divide_no_nan(x, x), "tf.where"),
        (lambda x: tf.gather_nd(x, [[0, 1]]), "tf.gather"),
        (lambda x: x[:2], "all of the batch"),
        (lambda x: x * tf.abs(B), "got a variable, B"),
    ],
)
def test_what_is_refused_says_what_to_do(function, said):
    with pytest.raises(PortError, match=said):
        port.from_tf(function, X)
