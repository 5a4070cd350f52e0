"""Variables, and values computed of them, that a function repeats for each example."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 4)).astype(np.float32)
C = RNG.normal(size=(1, 3, 4)).astype(np.float32)
B, W, Q, P = (
    tf.Variable(RNG.normal(size=shape).astype(np.float32), name=name)
    for name, shape in {"b": (4,), "w": (4, 4), "q": (1, 3, 4), "p": (3, 4)}.items()
)


def n(x):
    return tf.shape(x)[0]


SAID = {
    "tokens": (lambda x: tf.concat([tf.tile(Q, [n(x), 1, 1]), x[:, None]], 1) @ W, "class_token(count=3)"),
    "a product": (lambda x: tf.broadcast_to(B, tf.shape(x)) * (x @ W), "learned_scale()"),
    "a bias": (lambda x: tf.broadcast_to(B, tf.shape(x)) + x @ W, "fc(4)"),
    "a difference": (lambda x: x - tf.broadcast_to(B, tf.shape(x)), "parameter(4), join=subtract"),
    "twice": (lambda x: tf.broadcast_to(B, tf.shape(x)) * (x @ W) + tf.broadcast_to(B, tf.shape(x)), "* fc(4, bias"),
    "beside itself": (lambda x: x @ W + tf.tile(B[None], [n(x), 1]) * B, "expand_batch("),
    "matrices": (lambda x: tf.matmul(tf.tile(W[None], [n(x), 1, 1]), x[:, :, None])[..., 0], "parameter(4, 4)"),
    "computed": (
        lambda x: tf.concat([tf.tile(tf.nn.relu(Q @ W), [n(x), 1, 1]), x[:, None]], 1) @ W,
        "expand_batch( compose_seq(parameter(1, 3, 4, batch=False), e, relu)(x)",
    ),
    "computed, broadcast": (lambda x: tf.concat([tf.broadcast_to(Q @ W, [n(x), 3, 4]), x[:, None]], 1), "expand_batch"),
    "made wider too": (lambda x: x[:, None] * tf.broadcast_to(tf.exp(B), [n(x), 3, 4]), "broadcast_to(3, 4)"),
    "repeated rows": (lambda x: tf.einsum("bqd,bd->bq", tf.repeat(Q, n(x), axis=0), x), "parameter(3, 4"),
    "repeated rows of a table": (
        lambda x: tf.einsum("bqd,bd->bq", tf.repeat(P[None], n(x), axis=0), x),
        "parameter(3, 4",
    ),
    "zeros": (lambda x: tf.concat([tf.zeros([n(x), 2]), x], 1), "frozen(parameter(2))"),
    "a number": (lambda x: tf.concat([tf.fill([n(x), 2], 3.0), x], 1), "frozen(parameter(2))"),
    "a constant": (lambda x: tf.concat([tf.tile(C, [n(x), 1, 1]), x[:, None]], 1), "frozen(parameter(3, 4))"),
    "ones times it": (lambda x: tf.concat([tf.ones([n(x), 1]) * B, x], 1) * 2, "branch(parameter(4), identity"),
    "at most ones": (lambda x: tf.concat([tf.minimum(tf.ones([n(x), 4]), B), x], 1), "clip(max=1.0)"),
    "stacked": (lambda x: tf.stack([x, tf.broadcast_to(B, tf.shape(x))], 1), "branch(identity, parameter(4), join"),
    "zeros and it": (lambda x: tf.stack([x, tf.zeros_like(x) + B], 1), "branch(identity, parameter(4), join"),
    "a mean of the batch": (
        lambda x: tf.concat([tf.tile(tf.reduce_mean(x, 0, keepdims=True), [n(x), 1]), x], 1),
        "expand_batch",
    ),
    "an output": (lambda x: (x @ W, tf.tile(B[None], [n(x), 1])), "parameter(4)"),
}


@proofs(SAID, level="steps")
def test_once_for_each_example(name, level):
    fn, said = SAID[name]
    ported = port.from_tf(tf.function(fn), X)
    assert said in " ".join(str(ported.net).split())
    report = ported.verify(level)
    assert report.ok and "outputs    for (8" in str(report)  # a second batch


@pytest.mark.slow
def test_tokens_in_a_deep_network_read_the_batch_beside_them():
    def run(x):
        h = tf.nn.relu(x @ W)[:, None]
        return tf.concat([h, tf.tile(Q, [n(h), 1, 1])], 1)

    ported = port.from_tf(tf.function(run), X)
    assert " ".join(str(ported.net).split()) == (
        'compose_seq( fc(4, relu, bias=False), at(":, None"), branch(identity, parameter(3, 4), join=concat(axis=1)), )'
    )


REFUSED = {
    "each row": (lambda x: tf.repeat(P, n(x), axis=0), "a new first axis"),
    "rows by place": (lambda x: x + tf.gather(P, tf.range(n(x)) % 3), "sizes that do not depend on the batch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_same_for_each_example_is_refused(name):
    fn, said = REFUSED[name]
    with pytest.raises(PortError, match=said) as raised:
        port.from_tf(tf.function(fn), X)
    assert type(raised.value) is PortError and "79" not in str(raised.value)
    assert "test_repeated.py:" in "\n".join([str(raised.value), *getattr(raised.value, "__notes__", ())])
