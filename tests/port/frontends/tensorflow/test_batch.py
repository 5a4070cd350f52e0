"""The size of the batch in a function of TensorFlow: a symbol of the network, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")
RNG = np.random.default_rng(0)
X, MORE = (RNG.normal(size=(n, 6)).astype(np.float32) for n in (4, 10))


def size(x):
    return tf.cast(tf.shape(x)[0], tf.float32)


SAID = {
    "a quotient": (lambda x: x / size(x), "divide"),
    "a quotient by Python's number": (lambda x: x / x.shape[0], "divide"),
    "a product": (lambda x: x * size(x), "* ops.size(axis=0)"),
    "of the batch's own product": (lambda x: tf.transpose(x) @ x / size(x), "ops.size"),
    "a root": (lambda x: x / tf.sqrt(size(x)), "ops.power(x2=0.5)"),
    "a sum": (lambda x: x + size(x), "ops.size"),
    "a mean by hand": (lambda x: tf.reduce_sum(x, 0, keepdims=True) / size(x) - x, "ops.size"),
    "twice as many rows": (lambda x: tf.reshape(x, (2 * tf.shape(x)[0], 3)), "reshape(-1, 3, batch=False)"),
    "zeros of its shape": (lambda x: tf.concat([x, tf.zeros((tf.shape(x)[0], 2)) + x[:, :2]], 1), "concat"),
}


@pytest.mark.parametrize("name", SAID)
def test_the_size_of_the_batch_is_a_symbol(name):
    fn, said = SAID[name]
    p = port.from_tf(tf.function(fn), X)
    assert said in " ".join(str(p.net).split()) and "79" not in str(p.net)
    assert p.verify("gradients").ok
    np.testing.assert_allclose(p.net.apply(p.params, p.state, MORE)[0], fn(tf.constant(MORE)), rtol=2e-5, atol=1e-5)


REFUSED = {
    "a half": lambda x: x[: tf.shape(x)[0] // 2],
    "all but one": lambda x: x[: tf.shape(x)[0] - 1],
    "one less": lambda x: x / (size(x) - 1),
    "one hot vectors of the places": lambda x: tf.one_hot(tf.range(tf.shape(x)[0]), tf.shape(x)[0]) @ x,
    "the places": lambda x: x + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)[:, None],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_follows_from_the_batch_in_another_way_is_refused(name):
    with pytest.raises(PortError, match="batch") as raised:
        port.from_tf(tf.function(REFUSED[name]), X)
    said = "\n".join([str(raised.value), *getattr(raised.value, "__notes__", ())])
    assert "test_batch.py:" in said and "79" not in said


def test_a_function_of_one_size_says_so_when_it_runs():
    p = port.from_tf(tf.function(lambda x: tf.concat(tf.split(x, 2)[::-1], 0)), X)
    assert "ensure_shape(4, 6)" in str(p.net) and p.verify("gradients").ok
    with pytest.raises(Exception, match=r"\(4, 6\), the only sizes"):
        p.net.apply(p.params, p.state, MORE)
