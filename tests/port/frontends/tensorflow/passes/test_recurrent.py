"""Loops over time: cells that are known by what they compute, and loops that are written out."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.tensorflow.test_capture import _python
from tests.port.frontends.tensorflow.test_lower import draw, variable
from tests.port.levels import proofs

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

X = draw(3, 4, 2)
W, U, B, JOINT, WIDE = variable(2, 20), variable(5, 20), variable(20), variable(7, 20), variable(2, 15)
RECURRENT, BIASES, ROWS = variable(5, 15), variable(2, 15), variable(7, 5)


def over_time(step, states=1):
    """A step over the second axis, by `tf.scan`, as TF1's authors did."""

    def run(x):
        zeros = [tf.zeros([tf.shape(x)[0], 5])] * states
        every = tf.scan(step, tf.transpose(x, [1, 0, 2]), zeros[0] if states == 1 else tuple(zeros))
        return tf.transpose(every if states == 1 else every[0], [1, 0, 2])

    return run


def carried(gates, c, order, forget=0.0):
    """An LSTM's output and carry, its gates in this order."""
    parts = dict(zip(order, tf.split(gates, 4, 1)))
    c = tf.sigmoid(parts["f"] + forget) * c + tf.sigmoid(parts["i"]) * tf.tanh(parts["g"])
    return tf.sigmoid(parts["o"]) * tf.tanh(c), c


def gru(h, x, gates="rzn"):
    x, u = (dict(zip(gates, tf.split(y, 3, 1))) for y in (x @ WIDE + BIASES[0], h @ RECURRENT + BIASES[1]))
    z = tf.sigmoid(x["z"] + u["z"])
    return (1 - z) * tf.tanh(x["n"] + tf.sigmoid(x["r"] + u["r"]) * u["n"]) + z * h


CELLS = {
    "lstm(5)": over_time(lambda s, x: carried(x @ W + s[0] @ U + B, s[1], "ifgo"), 2),
    "lstm(5) of one matrix": over_time(lambda s, x: carried(tf.concat([x, s[0]], 1) @ JOINT + B, s[1], "igfo"), 2),
    "lstm(5, bias=False)": over_time(lambda s, x: carried(tf.concat([s[0], x], 1) @ JOINT, s[1], "ofgi"), 2),
    "gru(5)": over_time(gru),
    "rnn(5, bias=False)": over_time(lambda h, x: tf.tanh(x @ ROWS[:2] + h @ ROWS[2:])),
}


@pytest.mark.slow
@proofs(CELLS, "text")
def test_cells_are_known_by_what_they_compute(text, level):
    ported = port.from_tf(CELLS[text], X)
    assert str(ported.net) == text.removesuffix(" of one matrix")
    assert ported.verify(level).ok
    np.testing.assert_allclose(
        ported.net.apply(ported.params, {}, X)[0], CELLS[text](tf.constant(X)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_the_last_output_and_both():
    run = over_time(gru)
    assert str(port.from_tf(lambda x: run(x)[:, -1], X).net) == 'compose_seq(gru(5, name="scan"), at(":, -1"))'
    stacked = lambda x: tf.scan(gru, tf.transpose(x, [1, 0, 2]), tf.zeros([tf.shape(x)[0], 5]))
    assert str(port.from_tf(lambda x: stacked(x)[-1], X).net) == 'gru(5, output="last")'
    backwards = lambda x: stacked(tf.reverse(x, [1]))[-1]
    ported = port.from_tf(backwards, X)
    assert str(ported.net) == 'gru(5, output="last", reverse=True)' and ported.verify().ok
    both = port.from_tf(lambda x: (lambda every: (every[-1], every))(stacked(x)), X)
    assert 'at(":, -1")' in str(both.net) and both.verify().ok


def test_another_step_is_written_out():
    """The gate's constant is in no layer."""
    run = over_time(lambda s, x: carried(x @ W + s[0] @ U + B, s[1], "ifgo", forget=1.0), 2)
    ported = port.from_tf(lambda x: run(x[:, :3]), X)
    assert "lstm" not in str(ported.net) and ported.verify("gradients").ok


@pytest.mark.slow
def test_an_unrolled_loop_shares_its_weights():
    def run(x):
        h = c = tf.zeros([tf.shape(x)[0], 5])
        for t in range(x.shape[1]):
            h, c = carried(tf.concat([x[:, t], h], 1) @ JOINT + B, c, "ifgo")
        return h

    ported = port.from_tf(run, X)
    assert str(ported.net).startswith("share(") and ported.verify("steps").ok


@pytest.mark.slow
def test_a_loop_of_autograph_with_a_list():
    @tf.function
    def run(x):
        h, every = tf.zeros([tf.shape(x)[0], 5]), tf.TensorArray(tf.float32, 4)
        for t in tf.range(4):
            h = gru(h, x[:, t])
            every = every.write(t, h)
        return tf.transpose(every.stack(), [1, 0, 2])

    assert port.from_tf(run, X).verify("step").ok


def test_a_loop_over_the_batch():
    with pytest.raises(PortError, match="all of the batch"):
        port.from_tf(lambda x: tf.map_fn(lambda row: row / tf.reduce_sum(row), x), X)


KERAS = """
import re

import keras
import numpy as np

from compose import parse, port

L, x = keras.layers, np.random.default_rng(0).normal(size=(3, 4, 2)).astype("f")
for layers in (
    [L.LSTM(5, return_sequences=True), L.LSTM(3), L.Dense(2)],
    [L.GRU(5), L.Dense(2)],
    [L.GRU(5, reset_after=False, return_sequences=True)],
    [L.SimpleRNN(5, activation="relu")],
    [L.Bidirectional(L.LSTM(4))],
):
    model = keras.Sequential([keras.Input((4, 2)), *layers])
    ported = port.from_tf(lambda x: model(x, training=False), x)
    assert ported.verify("step").ok
    plain = parse(re.sub(', name="[a-z_0-9]+"', "", str(ported.net)))  # Keras counts its layers
    print("|", " ".join(str(plain).split()))
"""


@pytest.mark.slow
def test_recurrent_layers_of_keras_in_a_function():
    pytest.importorskip("keras")
    done = _python(KERAS, KERAS_BACKEND="tensorflow")
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line.strip() for line in done.stdout.split("|")[1:]] == [
        'compose_seq(lstm(5), lstm(3, output="last"), fc(2))',
        'compose_seq(gru(5, output="last"), fc(2))',
        "gru(5, recurrent_bias=False, reset_after=False)",
        'rnn(5, relu, output="last")',
        'branch(lstm(4, output="last"), lstm(4, output="last", reverse=True), join=concat)',
    ]
