"""Small models in raw TensorFlow, ported and proven to twenty equal training steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError
from tests.port.levels import proofs

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")

RNG = np.random.default_rng(0)
AUTOENCODER = "compose_seq(fc(250, relu), fc(50, relu), fc(250, relu), fc(784, sigmoid))"


def draw(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def variable(*shape, **options):
    return tf.Variable(0.3 * draw(*shape), **options)


def autoencoder():
    sizes = (784, 250, 50, 250, 784)
    weights = [variable(n, m) for n, m in pairwise(sizes)]
    biases = [variable(m) for m in sizes[1:]]

    def run(x):
        for w, b in zip(weights[:-1], biases[:-1]):
            x = tf.nn.relu(x @ w + b)
        return tf.sigmoid(x @ weights[-1] + biases[-1])

    return run, draw(4, 784)


class MLP(tf.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = variable(6, 8, name="first"), variable(3, 8, name="second")
        self.offset = variable(8, name="offset", trainable=False)

    @tf.function
    def __call__(self, x):
        h = tf.nn.leaky_relu(tf.nn.bias_add(tf.matmul(x, self.first), self.offset))
        return tf.nn.softmax(h @ tf.transpose(self.second))


class Norm(tf.Module):
    def __init__(self, n, by_hand):
        super().__init__()
        self.gamma, self.beta, self.mean = variable(n), variable(n), variable(n, trainable=False)
        self.variance = tf.Variable(1 + np.abs(draw(n)), trainable=False)
        self.by_hand = by_hand

    def __call__(self, x):
        if self.by_hand:
            return (x - self.mean) / tf.sqrt(self.variance + 1e-3) * self.gamma + self.beta
        fused = tf.compat.v1.nn.fused_batch_norm
        return fused(x, self.gamma, self.beta, self.mean, self.variance, epsilon=1e-3, is_training=False)[0]


class CNN(tf.Module):
    def __init__(self):
        super().__init__()
        self.kernel, self.bias, self.norms = variable(3, 3, 3, 8), variable(8), [Norm(8, True), Norm(8, False)]
        self.depthwise, self.up, self.head = variable(3, 3, 8, 2), variable(2, 2, 4, 16), variable(64, 5)

    def __call__(self, x):
        x = tf.nn.relu(self.norms[0](tf.nn.conv2d(x, self.kernel, 1, "SAME") + self.bias))
        x = x + self.norms[1](x)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.nn.depthwise_conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), self.depthwise, [1, 2, 2, 1], "VALID")
        x = tf.nn.conv2d_transpose(x, self.up, [tf.shape(x)[0], 4, 4, 4], 2)
        x = tf.reshape(tf.nn.avg_pool2d(x, 3, 1, "SAME"), [x.shape[0], -1])
        return x @ self.head


def over_time():
    kernel, bias = variable(3, 4, 6), variable(6)

    def run(x):
        h = tf.nn.silu(tf.nn.conv1d(x, kernel, 1, "SAME") + bias)
        a, b = tf.split(tf.nn.max_pool1d(h, 2, 2, "VALID"), 2, axis=-1)
        return tf.concat([tf.reduce_mean(a, 1), b[:, -1]], 1), tf.reduce_max(a, 1) * tf.reduce_sum(b, 1) - 1.0

    return run, draw(3, 8, 4)


def layer_norm(x, gamma, beta):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-6) * gamma + beta


def attention():
    table, out, (q, k, v) = variable(11, 12), variable(12, 12), [variable(12, 12) for _ in range(3)]
    scales, biases = [variable(12) for _ in range(2)], [variable(12) for _ in range(2)]
    up, up_bias, down, down_bias = variable(12, 24), variable(24), variable(24, 12), variable(12)

    def heads(x):
        shape = tf.shape(x)
        return tf.transpose(tf.reshape(x, [shape[0], shape[1], 3, 4]), [0, 2, 1, 3])

    @tf.function
    def block(ids):
        x = tf.gather(table, ids)
        h = layer_norm(x, scales[0], biases[0])
        scores = tf.matmul(heads(h @ q), heads(h @ k), transpose_b=True) / tf.sqrt(tf.cast(4, tf.float32))
        mixed = tf.transpose(tf.nn.softmax(scores) @ heads(h @ v), [0, 2, 1, 3])
        x = x + tf.reshape(mixed, tf.shape(x)) @ out
        h = tf.nn.gelu(tf.tensordot(layer_norm(x, scales[1], biases[1]), up, 1) + up_bias)
        return x + (tf.tensordot(h, down, 1) + down_bias)

    return block, RNG.integers(0, 11, (4, 7)).astype(np.int32)


CASES = {
    "autoencoder": autoencoder,
    "mlp": lambda: (MLP(), draw(5, 6)),
    "cnn": lambda: (CNN(), draw(3, 8, 8, 3)),
    "over time": over_time,
    "attention": attention,
}


@proofs(CASES, level="steps")
def test_equal(name, level):
    function, x = CASES[name]()
    ported = port.from_tf(function, x)
    assert ported.verify(level).ok
    theirs = tf.nest.flatten(function(tf.constant(x)))
    ours, _ = ported.net.apply(ported.params, ported.state, x)
    for a, b in zip(ours if isinstance(ours, tuple) else [ours], theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_the_autoencoder_is_the_expression_of_the_design():
    function, x = autoencoder()
    ported = port.from_tf(function, x)
    assert str(ported.net) == AUTOENCODER
    assert str(ported.weights).splitlines()[:2] == ["weights.0 → fc_0/kernel", "biases.0 → fc_0/bias"]


def test_what_is_not_trained_is_frozen_and_dropout_is_a_layer():
    fixed, trained = variable(6, 8, trainable=False), variable(8, 3)
    ported = port.from_tf(lambda x: tf.nn.dropout(tf.tanh(x @ fixed), 0.3) @ trained, draw(5, 6))
    assert str(ported.net) == "compose_seq(frozen(fc(8, bias=False)), tanh, dropout(0.3), fc(3, bias=False))"
    assert ported.verify("step").ok


def test_the_batch_is_free_and_weights_go_back_to_the_variables():
    function, x = autoencoder()
    ported = port.from_tf(function, x)
    model = port.from_tf(lambda x: tf.reshape(x, [x.shape[0], 2, -1]), draw(4, 6))
    assert model.net.apply({}, {}, draw(9, 6))[0].shape == (9, 2, 3)
    moved = {name: {k: a + 1 for k, a in of.items()} for name, of in ported.params.items()}
    arrays = ported.to_source(moved)
    np.testing.assert_allclose(arrays["biases.3"], np.asarray(ported.params["fc_3"]["bias"]) + 1, rtol=1e-6)


MASK, TABLE = -1e3 * (1 - np.tri(5, dtype=np.float32)), draw(6, 4)
READ = {
    "mask": (
        lambda x: tf.nn.softmax(tf.einsum("btd,bsd->bts", x, x) + MASK),
        "branch(identity, permute(0, 2, 1), join=matmul), frozen(learned_bias(shape=(5, 5))), softmax",
    ),
    "choice": (
        lambda x: tf.where(x > 0, x, 2 * x),
        "branch(ops.greater(y=0.0), identity, scale(by=2.0), join=ops.where)",
    ),
    "constants": (lambda x: tf.nn.relu(x @ TABLE + TABLE[0]), "frozen(fc(4)), relu"),
}


@pytest.mark.parametrize("name", READ)
def test_products_choices_and_constants(name):
    function, text = READ[name]
    ported = port.from_tf(function, draw(3, 5, 6) if name != "constants" else draw(3, 6))
    assert text in " ".join(str(ported.net).split()).replace("( ", "(") and ported.verify().ok


FORMULAS = {
    "gelu": lambda x: 0.5 * x * (1 + tf.math.erf(x / tf.sqrt(2.0))),
    "gelu(approximate=True)": lambda x: 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: tf.sigmoid(x) * x,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "layer_norm(epsilon=0.001, scale=False, bias=False)": lambda x: (
        (x - tf.reduce_mean(x, -1, keepdims=True)) / tf.sqrt(tf.math.reduce_variance(x, -1, keepdims=True) + 1e-3)
    ),
    "rms_norm(scale=False)": lambda x: x * tf.math.rsqrt(tf.reduce_mean(x**2, -1, keepdims=True) + 1e-6),
}


@pytest.mark.parametrize("word", FORMULAS)
def test_layers_are_known_by_their_formula(word):
    ported = port.from_tf(FORMULAS[word], draw(4, 6))
    assert str(ported.net) == word and ported.verify().ok


class TestErrors:
    def test_operations_without_a_rule_are_listed_with_their_lines(self):
        def odd(x):
            return tf.math.bessel_i0(tf.linalg.inv(x))

        with pytest.raises(PortError) as raised:
            port.from_tf(odd, draw(2, 3, 3), partial=True)
        text, line = str(raised.value), odd.__code__.co_firstlineno + 1
        assert f"tf.MatrixInverse (1×), first at {__file__}:{line}" in text and "tf.BesselI0" in text
        with pytest.raises(PortError) as raised:
            port.from_tf(odd, draw(2, 3, 3))
        assert "tf.BesselI0" not in str(raised.value)

    @pytest.mark.parametrize(
        "function, said",
        [
            (
                lambda x: tf.while_loop(lambda y: tf.reduce_sum(y) < 9, lambda y: (y + 1,), (x,))[0],
                "control flow.* loop",
            ),
            (lambda x: tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), x.shape), "Python code inside"),
            (lambda x: x + tf.random.normal(tf.shape(x)), "random numbers.* as a layer"),
        ],
    )
    def test_what_is_no_graph_of_layers(self, function, said):
        with pytest.raises(PortError, match=said) as raised:
            port.from_tf(function, draw(2, 3))
        assert "test_lower.py:" in str(raised.value)

    @pytest.mark.parametrize("source, said", [(3, "a function, a tf.Module"), ("no/folder", "saved_model.pb")])
    def test_sources(self, source, said):
        with pytest.raises(PortError, match=said):
            port.from_tf(source, draw(2, 3))

    def test_statistics_that_are_trained(self):
        norm = Norm(3, True)
        norm.mean = variable(3, name="centre")
        with pytest.raises(PortError, match="trainable=False, got centre"):
            port.from_tf(norm, draw(2, 3))


def test_a_rule_of_ones_own(monkeypatch):
    import compose
    from compose.port.lowering import registry as rules

    monkeypatch.setattr(rules, "_custom", dict(rules._custom))
    port.rule("tf.Expm1")(lambda low, op, x: low.emit(compose.add_constant(value=-1.0), low.emit(compose.ops.exp, x)))
    assert port.from_tf(tf.math.expm1, draw(2, 3)).verify().ok


@pytest.mark.parametrize("name", ["GradientDescent", "Adam", "RMSProp", "Adagrad"])
def test_steps_by_optimizers_of_tf1(name):
    ported = port.from_tf(MLP(), draw(5, 6))
    assert ported.verify("steps", getattr(tf.compat.v1.train, f"{name}Optimizer")(0.01)).ok


def test_steps_by_an_optimizer_of_keras():
    keras = pytest.importorskip("keras")
    assert port.from_tf(MLP(), draw(5, 6)).verify("steps", keras.optimizers.AdamW(0.01)).ok
