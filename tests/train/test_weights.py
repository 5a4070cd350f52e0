"""Weights of examples and classes: the gradient of one step against the formula, and against Keras."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.utils.class_weight import compute_class_weight

from compose import branch, compose_seq, fc, lstm, sigmoid, softmax
from compose.core.errors import ConfigError, DataError
from compose.train import fit
from compose.train.weights import class_weights

N = 30


@pytest.fixture
def data(rng):
    return rng.normal(size=(N, 4)), rng.choice(3, N, p=[0.7, 0.2, 0.1])


def step(net, x, y, loss, **options):
    """The parameters before and after one step of size 1, and the row of the history."""
    trained = fit(net, x, y, loss=loss, optimizer="sgd", learning_rate=1.0, batch_size=N, verbose=False, **options)
    params, _ = net.init(0, x)
    return params, jax.tree.map(lambda a, b: a - b, params, trained.params), trained.history[0]


def expect(found, objective):
    params, grad, row = found
    value, wanted = jax.value_and_grad(objective)(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), grad, wanted)
    assert row["loss"] == pytest.approx(float(value), rel=1e-12)


def logits(params, x):
    return x @ params["kernel"] + params["bias"]


def test_examples(data, x64, rng):
    x, y = data
    w = rng.uniform(0, 2, N)
    ce = optax.softmax_cross_entropy_with_integer_labels
    expect(
        step(fc(3, softmax), x, y, "cross_entropy", sample_weight=w),
        lambda p: jnp.mean(w * ce(logits(p, x), y)),
    )
    t = rng.normal(size=(N, 2))
    expect(
        step(fc(2), x, t, "mse", sample_weight=w),
        lambda p: jnp.mean(w[:, None] * (logits(p, x) - t) ** 2),
    )


@pytest.mark.parametrize("given", [{0: 0.5, 2: 3.0}, (0.5, 1.0, 3.0), "balanced"], ids=["dict", "list", "balanced"])
def test_classes(given, data, x64):
    x, y = data
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=y)
    table = balanced if given == "balanced" else np.array([0.5, 1, 3])
    w = np.arange(N) / N
    ce = optax.softmax_cross_entropy_with_integer_labels
    for targets in (y, np.eye(3)[y]):
        expect(
            step(fc(3, softmax), x, targets, "cross_entropy", class_weight=given, sample_weight=w),
            lambda p: jnp.mean(w * table[y] * ce(logits(p, x), y)),
        )


@pytest.mark.slow
def test_binary_classes_and_ignored_labels(data, x64, rng):
    x, y = data
    bits = (y > 0).astype(int)[:, None]
    bce = optax.sigmoid_binary_cross_entropy
    expect(
        step(fc(1, sigmoid), x, bits, "binary_cross_entropy", class_weight={1: 4.0}),
        lambda p: jnp.mean(np.where(bits == 1, 4, 1) * bce(logits(p, x), bits)),
    )
    y = np.where(np.arange(N) % 4 == 0, -100, y)
    real = y >= 0
    ce = optax.softmax_cross_entropy_with_integer_labels
    expect(
        step(fc(3, softmax), x, y, "cross_entropy", ignore_label=-100),
        lambda p: jnp.mean(ce(logits(p, x), y)[real]),
    )
    table = compute_class_weight("balanced", classes=np.arange(3), y=y[real])
    expect(
        step(fc(3, softmax), x, y, "cross_entropy", ignore_label=-100, class_weight="balanced"),
        lambda p: jnp.mean((table[np.maximum(y, 0)] * ce(logits(p, x), np.maximum(y, 0)))[real]),
    )


def test_outputs_have_their_own(data, x64):
    x, y = data
    net = branch(fc(2, name="a"), fc(3, name="b"))
    w, t = np.linspace(0, 2, N), x[:, :2]
    ce = optax.softmax_cross_entropy_with_integer_labels
    found = step(
        net, x, (t, y), {"a": "mse", "b": "cross_entropy"}, sample_weight={"a": w}, class_weight={"b": {1: 3.0}}
    )
    expect(
        found,
        lambda p: (
            jnp.mean(w[:, None] * (logits(p["a"], x) - t) ** 2)
            + jnp.mean(np.where(y == 1, 3, 1) * ce(logits(p["b"], x), y))
        ),
    )


def test_losses_of_several_batches_are_those_of_the_data(data, x64):
    """With weights, and with targets that do not count, of which each batch has another number."""
    x, y = data
    trained = fit(fc(3, softmax), x, y, loss="cross_entropy", verbose=False)
    w, y = np.arange(N) / N, np.where(np.arange(N) < 12, -1, y)
    parts = [trained.evaluate(x, y, sample_weight=w, ignore_label=-1, batch_size=b)["loss"] for b in (7, N)]
    each = optax.softmax_cross_entropy_with_integer_labels(logits(trained.params, x), jnp.asarray(y))
    np.testing.assert_allclose(parts, (w * each)[12:].mean(), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras's own conversions
def test_keras_weighs_alike(data):
    keras = pytest.importorskip("keras")
    x, y = data[0].astype(np.float32), data[1]
    net, w = fc(3, softmax), np.linspace(0, 2, N).astype(np.float32)
    params, _ = net.init(0, x)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.layers[0].set_weights([np.asarray(params["kernel"]), np.asarray(params["bias"])])
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    theirs = model.fit(x, y, N, sample_weight=w * np.array([0.5, 1, 3], np.float32)[y], shuffle=False, verbose=0)
    trained = fit(
        net, x, y, loss="cross_entropy", optimizer="sgd", learning_rate=0.5, batch_size=N, sample_weight=w,
        class_weight={0: 0.5, 2: 3}, verbose=False,
    )  # fmt: skip
    np.testing.assert_allclose(trained.params["kernel"], model.layers[0].get_weights()[0], rtol=1e-4, atol=1e-6)
    assert trained.history[0]["loss"] == pytest.approx(theirs.history["loss"][0], rel=1e-5)


def test_validation_has_the_examples_weights_and_not_the_classes(data, x64):
    x, y = data
    w = np.linspace(0, 2, N)
    options = dict(loss="cross_entropy", sample_weight=w, class_weight="balanced", verbose=False)
    part = fit(fc(3), x, y, validation=0.4, **options)
    pair = fit(fc(3), x[:18], y[:18], validation=(x[18:], y[18:], w[18:]), **{**options, "sample_weight": w[:18]})
    assert part.history[0]["val_loss"] == pair.history[0]["val_loss"]
    ce = optax.softmax_cross_entropy_with_integer_labels(logits(part.params, x[18:]), jnp.asarray(y[18:]))
    assert part.history[0]["val_loss"] == pytest.approx(float((w[18:] * ce).mean()))


@pytest.mark.slow
def test_steps_may_be_weighed(rng):
    x, y = rng.normal(size=(6, 5, 2)).astype(np.float32), rng.integers(0, 3, (6, 5))
    w = rng.uniform(size=(6, 5))
    net = compose_seq(lstm(4), fc(3))
    trained = fit(net, x, y, loss="cross_entropy", sample_weight=w, batch_size=6, verbose=False)
    found = trained.evaluate(x, y, sample_weight=w, batch_size=4)["loss"]
    each = optax.softmax_cross_entropy_with_integer_labels(trained.predict(x), jnp.asarray(y))
    assert found == pytest.approx(float((w * each).mean()), rel=1e-5)


DATA = {
    "another length": (np.ones(7), "one weight for each of the 30 examples"),
    "negative": (-np.ones(N), "finite, not negative"),
    "nothing": (np.zeros(N), "not all 0"),
    "words": (np.array(["a"] * N), "must hold numbers"),
    "too many axes": (np.ones((N, 5)), r"one weight for each example, \(n,\); got"),
}


@pytest.mark.parametrize("weights, text", DATA.values(), ids=DATA)
def test_weights_that_do_not_fit(weights, text, data):
    x, y = data[0].astype(np.float32), data[1]
    with pytest.raises(DataError, match=text):
        fit(fc(3), x, y, loss="cross_entropy", sample_weight=weights, verbose=False)


CLASSES = {
    "a name": ("balance", '"balanced", a dict from class to weight'),
    "too few": ((1.0, 2.0), "3 numbers"),
    "too many": ((1.0, 2.0, 3.0, 4.0), "3 numbers"),
    "a class that there is not": ({3: 2.0}, "for the classes 0 to 2"),
    "a word as a class": ({"cat": 2.0}, "integer classes"),
    "infinite": ({0: np.inf}, "finite"),
}


@pytest.mark.parametrize("given, text", CLASSES.values(), ids=CLASSES)
def test_weights_of_classes_that_mean_nothing(given, text):
    with pytest.raises(ConfigError, match=text):
        class_weights(given, np.arange(6) % 3, 3)


def test_numbers_have_no_classes(data):
    x = data[0].astype(np.float32)
    with pytest.raises(ConfigError, match="targets that are classes for class_weight"):
        fit(fc(4), x, x, loss="mse", class_weight="balanced", verbose=False)


def test_a_loss_of_one_number_has_no_weights(data):
    x, y = data[0].astype(np.float32), data[1]
    with pytest.raises(ConfigError, match="a loss with a value for each example"):
        fit(fc(3), x, y, loss=lambda p, t: p.sum(), sample_weight=np.ones(N), verbose=False)
