"""Batch norm and dropout in training: how raw TensorFlow and TF1 write them, proven over twenty training steps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.tensorflow.test_lower import draw, variable

tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1
pytestmark = pytest.mark.filterwarnings("default")


class Norm(tf.Module):
    """Batch norm with its averages, in one of the ways in which people write it."""

    def __init__(self, n, way):
        super().__init__()
        self.gamma, self.beta = variable(n), variable(n)
        self.mean = variable(n, trainable=False)
        self.variance = tf.Variable(1 + np.abs(draw(n)), trainable=False)
        self.way = way

    def __call__(self, x, training):
        if not training:
            return tf.nn.batch_normalization(x, self.mean, self.variance, self.beta, self.gamma, 1e-3)
        if self.way in ("fused", "fused average"):
            factor = 1.0 if self.way == "fused" else 0.1
            old = {} if self.way == "fused" else {"mean": self.mean, "variance": self.variance}
            y, mean, variance = v1.nn.fused_batch_norm(
                x, self.gamma, self.beta, **old, exponential_avg_factor=factor, epsilon=1e-3, is_training=True
            )
            self.average(mean, variance) if self.way == "fused" else self.put(mean, variance)
            return y
        mean, variance = tf.nn.moments(x, list(range(x.shape.rank - 1)))
        self.average(mean, variance)
        if self.way == "by hand":
            return (x - mean) / tf.sqrt(variance + 1e-3) * self.gamma + self.beta
        if self.way == "by the new average":
            mean = self.mean
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, 1e-3)

    def average(self, mean, variance):
        if self.way == "by hand":
            self.mean.assign_sub((self.mean - mean) * 0.1)
            self.variance.assign_sub((self.variance - variance) * 0.1)
        elif self.way == "two momenta":
            self.put(0.9 * self.mean + 0.1 * mean, 0.8 * self.variance + 0.2 * variance)
        else:
            self.put(0.9 * self.mean + 0.1 * mean, self.variance * 0.9 + variance * (1 - 0.9))

    def put(self, mean, variance):
        self.mean.assign(mean)
        self.variance.assign(variance)


class Net(tf.Module):
    def __init__(self, way):
        super().__init__()
        self.kernel, self.head, self.norm = variable(3, 3, 3, 6), variable(6, 2), Norm(6, way)

    @tf.function
    def __call__(self, x, training=False):
        x = tf.nn.silu(self.norm(tf.nn.conv2d(x, self.kernel, 2, "SAME"), training))
        x = tf.reduce_mean(x, [1, 2])
        return (tf.nn.dropout(x, 0.25) if training else x) @ self.head


@pytest.mark.parametrize("way", ["moments", "by hand", "fused", "fused average"])
def test_twenty_equal_steps_in_training(way):
    ported = port.from_tf(Net(way), draw(5, 8, 8, 3), training={"training": True})
    unbiased = ", unbiased=True" if "fused" in way else ""
    text = " ".join(str(ported.net).split())
    assert f"batch_norm(momentum=0.9, epsilon=0.001{unbiased}), silu" in text and "dropout(0.25)" in text
    assert ported.verify("steps").ok


def test_the_proof_tells_a_wrong_momentum_and_a_biased_variance():
    ported = port.from_tf(Net("fused"), draw(5, 8, 8, 3), training={"training": True})
    for wrong in ({"momentum": 0.99}, {"unbiased": False}):
        net = ported.net.map(
            lambda path, inner, wrong=wrong: inner.but(**wrong) if inner.kind == "batch_norm" else inner
        )
        with pytest.raises(PortError, match="norm"):
            dataclasses.replace(ported, net=net).verify("step")


@pytest.mark.slow
def test_training_as_another_function_and_by_an_optimizer_of_keras():
    keras = pytest.importorskip("keras")
    net, x = Net("moments"), draw(5, 8, 8, 3)
    ported = port.from_tf(lambda x: net(x, False), x, training=lambda x: net(x, True))
    assert ported.verify("steps", keras.optimizers.Adam(0.01)).ok
    assert ported.net == port.from_tf(net, {"x": x}, training={"training": True}).net


@pytest.mark.parametrize(
    "way, said",
    [("two momenta", "averaged by assignments with one momentum"), ("by the new average", "before they are assigned")],
)
def test_what_is_no_batch_norm(way, said):
    with pytest.raises(PortError, match=said):
        port.from_tf(Net(way), draw(5, 8, 8, 3), training={"training": True})


def test_a_batch_norm_that_only_trains_says_what_to_do():
    net = Net("moments")
    with pytest.raises(PortError, match=r"training=\{'training': True\}"):
        port.from_tf(lambda x: net(x, True), draw(5, 8, 8, 3))
    with pytest.raises(PortError, match="names of the function's arguments"):
        port.from_tf(net, draw(5, 8, 8, 3), training={"train": True})
    with pytest.raises(PortError, match="got True"):
        port.from_tf(net, draw(5, 8, 8, 3), training=True)


def session(way: str):
    """Batch norm behind a flag that is fed, or as two outputs of one graph, its averages in a collection or not."""
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(0)
        x, flag = v1.placeholder(tf.float32, [None, 6], "x"), v1.placeholder(tf.bool, [], "is_training")
        h = tf.matmul(x, v1.get_variable("w", [6, 5]))
        gamma, beta = v1.get_variable("gamma", [5]), v1.get_variable("beta", [5])
        held = [v1.get_variable(name, [5], trainable=False) for name in ("mean", "variance")]
        seen = tf.nn.moments(h, [0])
        averages = lambda: [v1.assign(old, old * 0.99 + new * 0.01) for old, new in zip(held, seen)]

        def train():
            with tf.control_dependencies(averages()):
                return [tf.identity(new) for new in seen]

        if way == "collection":
            for average in averages():
                v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, average)
        steps = (lambda: list(seen)) if way == "collection" else train
        head = v1.get_variable("head", [5, 2])
        normed = lambda mean, var: tf.nn.batch_normalization(h, mean, var, beta, gamma, 1e-3) @ head
        if way == "two outputs":
            tf.identity(normed(*train()), name="y_train")
            tf.identity(normed(*held), name="y")
        else:
            tf.identity(normed(*v1.cond(flag, steps, lambda: [tf.identity(old) for old in held])), name="y")
        made = v1.Session(graph=graph)
        made.run([v1.global_variables_initializer(), v1.assign(held[1], [1.0, 2.0, 0.5, 1.5, 1.0])])
    return made


@pytest.mark.parametrize("way", ["collection", "control", "two outputs"])
def test_tf1_in_training(way):
    training = "y_train" if way == "two outputs" else {"is_training": True}
    with session(way) as made:
        ported = port.from_tf(made, {"x": draw(7, 6), "is_training": False}, outputs="y", training=training)
        assert str(ported.net) == "compose_seq(fc(5, bias=False), batch_norm(epsilon=0.001), fc(2, bias=False))"
        assert ported.verify("steps", v1.train.AdamOptimizer(0.01)).ok
        again = port.from_tf(made, {"x": draw(7, 6), "is_training": False}, outputs="y")
    assert again.net == ported.net.map(lambda p, n: n.but(momentum=0.99) if n.kind == "batch_norm" else n)


def test_a_flag_of_tf1_without_new_control_flow(monkeypatch):
    v1.disable_control_flow_v2()
    try:
        with session("control") as made:
            ported = port.from_tf(
                made, {"x": draw(7, 6), "is_training": False}, outputs="y", training={"is_training": True}
            )
    finally:
        v1.enable_control_flow_v2()
    assert ported.verify("step").ok
