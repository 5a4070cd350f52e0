"""The size of the batch in a custom call of Keras: a symbol of the network, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from compose import port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")
ops = keras.ops
RNG = np.random.default_rng(0)
X, MORE = (RNG.normal(size=(n, 6)).astype(np.float32) for n in (4, 10))


@keras.saving.register_keras_serializable("test_batch")
class Made(keras.layers.Layer):
    """A function of the table below, by its name."""

    def __init__(self, called, **options):
        super().__init__(**options)
        self.called = called

    def call(self, x):
        return FUNCTIONS[self.called](x)

    def get_config(self):
        return {**super().get_config(), "called": self.called}


def model(called):
    x = keras.Input((6,))
    return keras.Model(x, Made(called)(keras.layers.Dense(6)(x)))


class Whole(keras.Model):
    """Called on arrays alone, so that the size of the batch is a number."""

    def __init__(self, called, **options):
        super().__init__(**options)
        self.called, self.dense = called, keras.layers.Dense(6)

    def call(self, x):
        return FUNCTIONS[self.called](self.dense(x))

    def get_config(self):
        return {**super().get_config(), "called": self.called}


def whole(called):
    made = Whole(called)
    made(X)
    return made


def size(x):
    return ops.shape(x)[0]


SAID = {
    "a quotient": (lambda x: x / size(x), "divide"),
    "a product": (lambda x: x * size(x), "* ops.size(axis=0)"),
    "a product with a part of it": (lambda x: x * (3.0 / size(x)), "scale(by=3.0)"),
    "of the batch's own product": (lambda x: ops.transpose(x) @ x / size(x), "ops.size"),
    "a mean by hand": (lambda x: ops.sum(x, 0, keepdims=True) / size(x) - x, "ops.size"),
    "twice as many rows": (lambda x: ops.reshape(x, (2 * size(x), 3)), "reshape(-1, 3, batch=False)"),
    "zeros of its shape": (lambda x: ops.concatenate([x, x[:, :2] + ops.zeros((size(x), 2))], 1), "concat"),
}


@pytest.mark.parametrize("name", SAID)
def test_the_size_of_the_batch_is_a_symbol(name):
    said = SAID[name][1]
    source = model(name)
    p = port.from_keras(source, X)
    assert said in " ".join(str(p.net).split()) and "79" not in str(p.net)
    assert p.verify("gradients").ok
    np.testing.assert_allclose(p.net.apply(p.params, p.state, MORE)[0], source(MORE), rtol=2e-5, atol=1e-5)


REFUSED = {
    "a half": lambda x: x[: size(x) // 2],
    "one less": lambda x: x / (size(x) - 1),
    "one hot vectors of the places": lambda x: ops.matmul(ops.one_hot(ops.arange(size(x)), size(x)), x),
    "the places": lambda x: x + ops.cast(ops.arange(size(x)), "float32")[:, None],
}


FUNCTIONS = {
    **{name: fn for name, (fn, _) in SAID.items()},
    **REFUSED,
    "a root": lambda x: x / size(x) ** 0.5,
    "a loop over the examples": lambda x: sum(x[i] for i in range(size(x))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_follows_from_the_batch_in_another_way_is_refused(name):
    with pytest.raises(PortError, match="batch") as raised:
        port.from_keras(model(name), X)
    said = "\n".join([str(raised.value), *getattr(raised.value, "__notes__", ())])
    assert "made" in said and "79" not in said


def test_a_root_of_the_size():
    source = whole("a root")
    p = port.from_keras(source, X)
    assert "ops.power(x2=0.5)" in str(p.net) and p.verify("gradients").ok
    np.testing.assert_allclose(p.net.apply(p.params, p.state, MORE)[0], source(MORE), rtol=2e-5, atol=1e-5)


@pytest.mark.slow
def test_a_loop_over_the_examples_is_refused():
    with pytest.raises(PortError, match="for a batch of any size"):
        port.from_keras(whole("a loop over the examples"), X)
