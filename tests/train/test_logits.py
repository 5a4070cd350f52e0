"""The final activation that a loss skips."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest

from compose import (
    branch,
    cast,
    compose_seq,
    conv,
    fc,
    flatten,
    float32,
    frozen,
    graph,
    identity,
    log_softmax,
    multiply,
    named,
    relu,
    remat,
    residual,
    share,
    sigmoid,
    softmax,
)  # fmt: skip
from compose.core.context import Context
from compose.train.logits import forward
from compose.train.losses.known import LOSSES

N, K = 12, 4


X = np.random.default_rng(1).normal(size=(N, 5)).astype(np.float32)


ENDS = {
    "bare": softmax,
    "in a sequence": compose_seq(fc(K), softmax),
    "in a layer": fc(K, softmax),
    "in a convolution": compose_seq(flatten(), fc(K, softmax)),
    "nested": compose_seq(fc(8, relu), compose_seq(fc(K), softmax, name="head")),
    "before the identity": compose_seq(fc(K), softmax, identity),
    "named": named("top", fc(K, softmax)),
    "cast": cast(fc(K, softmax), float32),
    "frozen": compose_seq(fc(8), frozen(fc(K, softmax))),
    "shared": share(fc(5), lambda e: compose_seq(e, e, softmax)),
    "graph": graph(lambda x: fc(K, softmax)(x)),
    "with its axis": compose_seq(fc(K), softmax(axis=1)),
    "of jax": compose_seq(fc(K), jax.nn.softmax),
    "logarithm": fc(K, log_softmax),
}


@pytest.mark.parametrize("net", ENDS.values(), ids=ENDS)
def test_a_final_softmax_is_skipped_by_the_loss(net):
    params, state = net.init(0, X)
    outputs, _ = forward(net, params, state, X, Context())
    logits = LOSSES["cross_entropy"].predictions(outputs)
    assert outputs.final is not None
    assert outputs.logits("classes") is outputs.before
    np.testing.assert_allclose(outputs.final.fn(logits), net.apply(params, state, X)[0], rtol=1e-6)
    np.testing.assert_array_equal(LOSSES["mse"].predictions(outputs), outputs.value)


INNER = {
    "none": fc(K),
    "another activation": fc(K, relu),
    "inside": compose_seq(fc(K), softmax, fc(K)),
    "a gate": graph(lambda x: fc(K)(x) * fc(K, softmax)(x)),
    "one of a sum": residual(fc(5, softmax)),
    "in a product": branch(fc(K, softmax), fc(K), join=multiply),
}


@pytest.mark.parametrize("net", INNER.values(), ids=INNER)
def test_what_is_not_final_stays(net):
    params, state = net.init(0, X)
    outputs, _ = forward(net, params, state, X, Context())
    assert LOSSES["cross_entropy"].predictions(outputs) is outputs.value


def fitted(net, loss, y, **options):
    options = dict(optimizer="sgd", learning_rate=0.1, epochs=3, batch_size=4, verbose=False, **options)
    return net.fit(X, y, loss=loss, **options)


def same(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), a, b)


def test_logits_and_softmax_train_the_same():
    y = np.arange(N) % K
    ends = [fc(K), fc(K, softmax), fc(K, log_softmax)]
    first, *rest = (fitted(net, "cross_entropy", y, metrics="accuracy") for net in ends)
    for other in rest:
        same(other.params, first.params)
        assert other.history[-1]["accuracy"] == first.history[-1]["accuracy"]
    np.testing.assert_allclose(rest[0].predict(X), jax.nn.softmax(first.predict(X)), rtol=1e-5)
    hand = optax.softmax_cross_entropy_with_integer_labels
    same(fitted(fc(K, softmax), hand, y).params, first.params)
    same(fitted(fc(K, softmax), optax.softmax_cross_entropy, np.eye(K)[y].astype(np.float32)).params, first.params)


def test_logits_and_sigmoid_train_the_same():
    y = (X[:, :1] > 0).astype(np.int32)
    bare, ended, hand = (
        fitted(net, loss, y, metrics="accuracy")
        for net, loss in (
            (fc(1), "binary_cross_entropy"),
            (fc(1, sigmoid), "binary_cross_entropy"),
            (fc(1, sigmoid), optax.sigmoid_binary_cross_entropy),
        )
    )
    same(ended.params, bare.params)
    same(hand.params, bare.params)
    right = ((np.asarray(ended.predict(X)) > 0.5) == y).mean()
    assert bare.evaluate(X, y)["accuracy"] == ended.evaluate(X, y)["accuracy"] == pytest.approx(right)


def test_a_softmax_far_inside_is_accepted():
    fitted(compose_seq(fc(K), softmax, fc(K)), "cross_entropy", np.arange(N) % K)
    fitted(remat(fc(K)), "cross_entropy", np.arange(N) % K)


def test_convolutions_may_end_in_softmax(rng):
    images = rng.normal(size=(6, 4, 4, 1)).astype(np.float32)
    net = conv(3, 2, softmax)
    labels = np.zeros((6, *net.out((4, 4, 1))[:-1]), np.int32)
    trained = net.fit(
        images,
        labels,
        loss="cross_entropy",
        metrics="accuracy",
        batch_size=3,
        epochs=30,
        learning_rate=0.1,
        verbose=False,
    )
    assert trained.history[-1]["accuracy"] > 0.9
