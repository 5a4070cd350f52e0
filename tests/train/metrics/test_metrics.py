"""Metrics over the whole data against scikit-learn, whatever the batches are."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

from compose import compose_seq, fc, identity, losses, masked, metrics, sigmoid, softmax
from compose.core.errors import ConfigError
from compose.train import Trained

N = 53  # a multiple of no batch


def evaluated(net, x, y, batch, **options):
    params, state = net.init(0, x)
    return Trained(net, params, state, (), None).evaluate(x, y, batch_size=batch, **options)


@pytest.fixture(params=[7, pytest.param(64, marks=pytest.mark.slow)], ids=["batches", "at once"])
def batch(request):
    return request.param


@pytest.fixture
def scores(x64, rng):
    return rng.normal(size=(N, 4)).round(1)  # with ties


def agree(found, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


def test_several_classes(scores, batch, rng):
    y = rng.integers(0, 3, N)  # class 3 never occurs
    p = np.asarray(jax.nn.softmax(scores))
    guess, one_hot = p.argmax(1), np.eye(4)[y]
    wanted = [
        "accuracy", "top_2", "precision", "recall", "f1", "confusion", "cross_entropy",
        metrics.f1(average="micro", name="micro"), metrics.precision(average="weighted", name="weighted"),
    ]  # fmt: skip
    zero = dict(average="macro", zero_division=0)
    expected = {
        "accuracy": sk.accuracy_score(y, guess),
        "top_2": sk.top_k_accuracy_score(y, scores + 1e-9 * np.arange(4)[::-1], k=2, labels=range(4)),
        "precision": sk.precision_score(y, guess, **zero),
        "recall": sk.recall_score(y, guess, **zero),
        "f1": sk.f1_score(y, guess, **zero),
        "confusion": sk.confusion_matrix(y, guess, labels=range(4)),
        "cross_entropy": sk.log_loss(y, p, labels=range(4)),
        "micro": sk.f1_score(y, guess, average="micro"),
        "weighted": sk.precision_score(y, guess, average="weighted", zero_division=0),
    }
    for net, targets in ((softmax, y), (identity, one_hot)):
        agree(evaluated(net, scores, targets, batch, loss="cross_entropy", metrics=wanted), expected)


def test_areas_of_several_classes(scores, batch, rng):
    y = rng.integers(0, 4, N)
    p = np.asarray(jax.nn.softmax(scores))
    expected = {
        "auc": sk.roc_auc_score(y, p, multi_class="ovr"),
        "average_precision": sk.average_precision_score(np.eye(4)[y], p),
    }
    agree(evaluated(softmax, scores, y, batch, loss="cross_entropy", metrics=list(expected)), expected)


def test_of_two_classes_one_is_the_positive(scores, batch, rng):
    z, y = scores[:, :2], rng.integers(0, 2, N)
    p = np.asarray(jax.nn.softmax(z))[:, 1]
    expected = {"auc": sk.roc_auc_score(y, p), "average_precision": sk.average_precision_score(y, p)}
    expected |= {"f1": sk.f1_score(y, p > 0.5), "confusion": sk.confusion_matrix(y, p > 0.5)}
    agree(evaluated(softmax, z, y, batch, loss="cross_entropy", metrics=list(expected)), expected)


@pytest.mark.slow
def test_binary_targets(scores, batch, rng):
    z, y = scores[:, :1], rng.integers(0, 2, (N, 1))
    guess, p = z > 0, np.asarray(jax.nn.sigmoid(z))
    expected = {
        "accuracy": sk.accuracy_score(y, guess),
        "binary_accuracy": sk.accuracy_score(y, guess),
        "precision": sk.precision_score(y, guess),
        "recall": sk.recall_score(y, guess),
        "f1": sk.f1_score(y, guess),
        "confusion": sk.confusion_matrix(y, guess),
        "auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "binary_cross_entropy": sk.log_loss(y, p),
    }
    for net in (sigmoid, identity):
        agree(evaluated(net, z, y, batch, loss="binary_cross_entropy", metrics=list(expected)), expected)
    measured = [name for name in expected if name != "binary_cross_entropy"]
    found = evaluated(sigmoid, z, y, batch, loss="mse", metrics=measured)
    agree(found, {name: expected[name] for name in measured})
    assert evaluated(softmax, scores[:, :2], y[:, 0], batch, loss="cross_entropy", metrics="precision")[
        "precision"
    ] == pytest.approx(sk.precision_score(y[:, 0], scores[:, 1] > scores[:, 0]))


def test_several_binary_outputs(scores, batch, rng):
    y = rng.integers(0, 2, (N, 4))
    guess = scores > 0
    expected = {
        "accuracy": (guess == y).mean(),
        "f1": sk.f1_score(y, guess, average="macro"),
        "auc": sk.roc_auc_score(y, scores),
        "confusion": sk.multilabel_confusion_matrix(y, guess),
    }
    agree(evaluated(sigmoid, scores, y, batch, loss="binary_cross_entropy", metrics=list(expected)), expected)


def test_numbers(scores, batch, rng):
    y = 1e3 + scores + rng.normal(size=(N, 4))
    x = scores + 1e3
    expected = {
        "mse": sk.mean_squared_error(y, x),
        "mae": sk.mean_absolute_error(y, x),
        "rmse": sk.root_mean_squared_error(y, x),
        "r2": sk.r2_score(y, x),
    }
    agree(evaluated(identity, x, y, batch, loss="huber", metrics=list(expected)), expected)
    constant = np.ones((N, 2))
    for x in (constant, constant + 0.1):
        assert evaluated(identity, x, constant, batch, loss="mse", metrics="r2")["r2"] == sk.r2_score(constant, x)


def test_r2_is_accurate_in_single_precision_far_from_zero(rng):
    y = (1e4 + rng.normal(size=(4000, 1))).astype(np.float32)
    x = y + rng.normal(size=y.shape).astype(np.float32)
    assert evaluated(identity, x, y, 32, loss="mse", metrics="r2")["r2"] == pytest.approx(sk.r2_score(y, x), abs=1e-3)


@pytest.mark.slow
def test_steps_that_do_not_count(rng, x64):
    """Padded steps and an ignored label, against scikit-learn on those that remain."""
    x = rng.normal(size=(11, 6, 4))
    real = np.arange(6) < rng.integers(1, 7, 11)[:, None]
    x[~real] = 0
    y = rng.integers(0, 4, (11, 6))
    y[0, 0] = -1
    kept = real & (y >= 0)
    p, guess = np.asarray(jax.nn.softmax(x[kept])), x[kept].argmax(1)
    found = evaluated(
        masked(compose_seq(identity, softmax)), x, y, 4, loss="cross_entropy", ignore_label=-1,
        metrics=["accuracy", "confusion", "auc", "f1", metrics.top_k(2)],
    )  # fmt: skip
    expected = {
        "loss": sk.log_loss(y[kept], p),
        "accuracy": sk.accuracy_score(y[kept], guess),
        "confusion": sk.confusion_matrix(y[kept], guess),
        "auc": sk.roc_auc_score(y[kept], p, multi_class="ovr"),
        "f1": sk.f1_score(y[kept], guess, average="macro"),
        "top_2": sk.top_k_accuracy_score(y[kept], p, k=2),
    }
    agree(found, expected)
    targets = rng.normal(size=x.shape)
    found = evaluated(masked(compose_seq(identity)), x, targets, 4, loss="mae", metrics=["mse", "rmse", "r2"])
    expected = {
        "loss": sk.mean_absolute_error(targets[real], x[real]),
        "mse": sk.mean_squared_error(targets[real], x[real]),
        "rmse": sk.root_mean_squared_error(targets[real], x[real]),
        "r2": sk.r2_score(targets[real], x[real]),
    }
    agree(found, expected)


def test_one_class_has_no_area(x64):
    found = evaluated(sigmoid, np.ones((5, 1)), np.ones((5, 1)), 2, loss="mse", metrics=["auc", "average_precision"])
    assert np.isnan(found["auc"]) and found["average_precision"] == 1
    found = evaluated(sigmoid, np.ones((5, 1)), np.zeros((5, 1)), 2, loss="mse", metrics="average_precision")
    assert np.isnan(found["average_precision"])


def test_one_of_your_own(scores, batch):
    worst = metrics.metric("worst", lambda: jnp.zeros(()), lambda m, p, t: jnp.maximum(m, jnp.abs(p - t).max()))
    bias = lambda outputs, targets: outputs - targets
    y = np.zeros_like(scores)
    found = evaluated(identity, scores, y, batch, loss="mse", metrics=[worst, bias, losses.huber(delta=0.5)])
    agree(found, {"worst": np.abs(scores).max(), "<lambda>": scores.mean()})
    assert found["huber"] == pytest.approx(float(losses.huber(delta=0.5)(jnp.asarray(scores), jnp.asarray(y))))


@pytest.mark.parametrize(
    "metric, text",
    [
        ("acuracy", "did you mean accuracy"),
        ("top_9", "expected at least 9 classes for top_9, got 4 outputs"),
        (metrics.f1, "one output"),
        (42, "a function of"),
    ],
)
def test_unknown_metrics(metric, text, scores):
    if metric is metrics.f1:
        assert "f1" in evaluated(softmax, scores, np.arange(N) % 4, 8, loss="cross_entropy", metrics=metric)
        return
    with pytest.raises(ConfigError, match=text):
        evaluated(softmax, scores, np.arange(N) % 4, 8, loss="cross_entropy", metrics=metric)


@pytest.mark.parametrize("make", [lambda: metrics.top_k(0), lambda: metrics.f1(average="mean")])  # pyright: ignore
def test_options_out_of_range(make):
    with pytest.raises(ConfigError):
        make()


def test_history_holds_numbers_and_evaluate_the_matrix(rng):
    x, y = rng.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2
    with pytest.raises(ConfigError, match="expected metrics that are one number, got confusion"):
        fc(2).fit(x, y, loss="cross_entropy", metrics="confusion", verbose=False)
    trained = fc(2).fit(x, y, loss="cross_entropy", metrics=["auc", "f1"], validation=0.4, verbose=False)
    assert trained.evaluate(x, y, metrics="confusion")["confusion"].sum() == 20
    assert all(type(value) is float for value in trained.history[0].values())
