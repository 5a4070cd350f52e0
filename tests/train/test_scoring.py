"""Losses and metrics made ready: what accuracy means, what is refused, several outputs, padding."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from compose import (
    branch,
    compose_seq,
    embedding,
    fc,
    flatten,
    graph,
    identity,
    log_softmax,
    losses,
    lstm,
    masked,
    relu,
    remat,
    sigmoid,
    softmax,
    tanh,
)
from compose.core.errors import ConfigError, DataError
from compose.train import fit
from compose.train.examples import examples
from compose.train.scoring import Scoring

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
BITS = (X[:, :1] > 0.3).astype(np.int32)
LABELS = np.arange(20) % 3
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]


def head(net, y, loss, **options):
    return Scoring(net, examples(X, y), loss, "accuracy", **options).scores.heads[0]


def bce(z, t):
    return optax.sigmoid_binary_cross_entropy(z, t.astype(z.dtype)).mean()


def squares(p, t):
    return (p - t) ** 2


KINDS = {
    "mse of one output": (fc(1), BITS, "mse", ("binary", 0.5)),
    "mse of a sigmoid": (fc(1, sigmoid), BITS, "mse", ("binary", 0.5)),
    "a function": (fc(1), BITS, squares, ("binary", 0.5)),
    "logits of a function": (fc(1), BITS, bce, ("binary", 0.0)),
    "binary cross entropy": (fc(1, sigmoid), BITS, "binary_cross_entropy", ("binary", 0.0)),
    "binary focal": (fc(1, sigmoid), BITS, "binary_focal", ("binary", 0.0)),
    "optax's focal": (fc(1, sigmoid), BITS, optax.sigmoid_focal_loss, ("binary", 0.0)),
    "a partial of it": (
        fc(1, sigmoid), BITS, functools.partial(optax.sigmoid_focal_loss, gamma=1.0), ("binary", 0.0),
    ),
    "hinge": (fc(1), BITS, "hinge", ("binary", 0.0)),
    "hinge of signs": (fc(1, tanh), 2 * BITS - 1, "hinge", ("binary", 0.0)),
    "mse of signs": (fc(1, tanh), 2 * BITS - 1, "mse", ("binary", 0.0)),
    "mse of one-hot": (fc(3, softmax), ONE_HOT, "mse", ("classes", 0.5)),
    "several sigmoids": (fc(3, sigmoid), ONE_HOT, "mse", ("binary", 0.5)),
    "focal": (fc(3), LABELS, "focal", ("classes", 0.5)),
    "labels of a function": (fc(3), LABELS, optax.losses.multiclass_hinge_loss, ("classes", 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("net, y, loss, expected", KINDS.values(), ids=KINDS)
def test_what_accuracy_measures(net, y, loss, expected):
    about = head(net, y, loss).about
    assert (about.kind, about.threshold) == expected


@pytest.mark.parametrize("loss", ["mse", "hinge", *(pytest.param(f, marks=pytest.mark.slow) for f in (squares, bce))])
def test_accuracy_of_one_output_is_the_share_of_right_sides(loss):
    trained = fc(1).fit(X, BITS, loss=loss, metrics="accuracy", learning_rate=0.05, epochs=3, verbose=False)
    above = np.asarray(trained.predict(X)) > (0.5 if loss in ("mse", squares) else 0.0)
    right = float((above == BITS).mean())
    assert 0 < right < 1 and trained.evaluate(X, BITS)["accuracy"] == pytest.approx(right)


NOTHING = {
    "numbers": (fc(1), X[:, :1], "mse", "accuracy", "that are classes .* for the metric accuracy, got other numbers"),
    "the error of labels": (fc(3), LABELS, "cross_entropy", "mse", r"with the shape of the outputs for the metric mse"),
    "the divergence of labels": (fc(3), LABELS, "focal", "kl", "the shape of the outputs for the metric kl"),
    "several numbers": (fc(4), X, "mae", "f1", "for the metric f1"),
    "soft targets": (fc(1, sigmoid), abs(X[:, :1]) / 9, "binary_cross_entropy", "auc", "for the metric auc"),
    "top of a binary target": (fc(1, sigmoid), BITS, "mse", "top_2", "classes targets|that are classes"),
    "a weight beside the labels": (fc(3), (LABELS, X[:, 0]), lambda o, t: o.sum(-1), "accuracy", "sample_weight"),
    "several outputs": (
        branch(fc(1, name="a"), fc(3, name="b")), (BITS, LABELS), lambda o, t: o[0].sum(), "accuracy", "metrics=",
    ),
    "several outputs, one metric": (
        branch(fc(1, name="a"), fc(3, name="b")), (BITS, LABELS), {"a": "mse", "b": "cross_entropy"}, "accuracy",
        "metrics for each output by its name, {'a': ..., 'b': ...}",
    ),
    "an unknown output": (
        branch(fc(1, name="a"), fc(3, name="b")), (BITS, LABELS), {"c": "mse"}, (),
        "loss for the outputs a, b, got 'c'",
    ),
    "one output": (fc(3), LABELS, {"a": "cross_entropy"}, (), "one loss, since the network has one output"),
    "another loss as a metric": (fc(1), X[:, :1], "mse", "binary_cross_entropy", "the same logits"),
}  # fmt: skip


@pytest.mark.parametrize("net, y, loss, metric, text", NOTHING.values(), ids=NOTHING)
def test_metrics_and_losses_that_fit_nothing(net, y, loss, metric, text):
    with pytest.raises(ConfigError, match=text):
        fit(net, X, y, loss=loss, metrics=metric, verbose=False)


def test_losses_as_metrics_fit_what_they_fit_as_losses():
    for metric, error, text in (
        ("ctc", DataError, r"ctc takes outputs \(n, time, classes\)"),
        ("triplet", ConfigError, "a tuple of 3 outputs"),
        (losses.contrastive(margin=2.0), ConfigError, "a tuple of 2 outputs"),
    ):
        with pytest.raises(error, match=text):
            fit(fc(3), X, LABELS, loss="cross_entropy", metrics=metric, verbose=False)


TARGETS = {
    "two columns that are no probabilities": (fc(4), X, "cross_entropy", "must be one-hot, or probabilities"),
    "sums that are not 1": (fc(3), 2 * ONE_HOT, "focal", "must be one-hot, or probabilities"),
    "labels for a divergence": (fc(3), LABELS, "kl", r"probabilities \(n, 3\) for kl"),
    "hinge of numbers": (fc(1), X[:, :1], "hinge", "must be -1 and 1, or 0 and 1"),
    "a label beyond optax's": (fc(3), LABELS + 1, optax.losses.multiclass_hinge_loss, "between 0 and 2"),
    "padding without its label": (fc(3), LABELS - 1, "cross_entropy", "ignore_label leaves out"),
    "nothing but padding": (fc(3), LABELS * 0 - 1, "cross_entropy", "all targets are -1"),
    "pairs": (branch(fc(2), fc(2)), LABELS, "contrastive", "must be 0 or 1 for each pair"),
    "long texts": (embedding(9, 3), np.ones((20, 9), int), "ctc", r"y\[0\] needs 17 steps, and the outputs have 5"),
    "a text with a blank between": (embedding(9, 3), np.tile([1, 1, 2, 2, 0], (20, 1)), "ctc", "needs 6 steps"),
}


@pytest.mark.parametrize("net, y, loss, text", TARGETS.values(), ids=TARGETS)
def test_targets_that_do_not_fit_the_loss(net, y, loss, text):
    x = np.zeros((20, 5), int) if loss == "ctc" else X
    with pytest.raises(DataError, match=text):
        fit(net, x, y, loss=loss, ignore_label=-1 if "nothing" in text or "all" in text else None, verbose=False)


def wrapped(p, t):
    return optax.softmax_cross_entropy_with_integer_labels(p, t).mean()


def test_a_wrapper_of_a_loss_on_logits_says_so():
    for net, y, loss in ((fc(3, softmax), LABELS, wrapped), (fc(1, sigmoid), BITS, bce)):
        with pytest.raises(ConfigError, match="expected logits=True or logits=False, since the network ends in"):
            head(net, y, loss)
        assert head(net, y, loss, logits=True).loss.over == ("classes" if y is LABELS else "elements")
        assert head(net, y, loss, logits=False).loss.over is None
    assert head(fc(1, sigmoid), BITS, squares).loss.over is None, "computes no exponentials"
    by_name = fit(fc(3, softmax), X, LABELS, loss="cross_entropy", verbose=False)
    by_hand = fit(fc(3, softmax), X, LABELS, loss=wrapped, logits=True, verbose=False)
    np.testing.assert_allclose(by_hand.params["kernel"], by_name.params["kernel"], rtol=1e-6)
    with pytest.raises(ConfigError, match="logits only for a loss of your own"):
        head(fc(3), LABELS, "cross_entropy", logits=True)


def test_logarithms_and_scores_are_not_given_probabilities():
    with pytest.raises(ConfigError, match=r"ends in log_softmax for optax\.kl_divergence, got a final softmax"):
        head(fc(3, softmax), ONE_HOT, optax.kl_divergence)
    assert head(fc(3, log_softmax), ONE_HOT, optax.kl_divergence).loss.over is None
    with pytest.raises(ConfigError, match="scores of any size for this loss, got a final sigmoid"):
        head(fc(1, sigmoid), BITS, "hinge")


TWO = compose_seq(fc(5, relu), branch(fc(1, name="size"), fc(3, softmax, name="kind")))


@pytest.mark.slow
def test_each_output_has_its_loss_and_metrics(x64):
    x, size = X.astype(float), X[:, :1].astype(float)
    options = dict(
        loss={"size": "mse", "kind": losses.cross_entropy(smoothing=0.1)}, loss_weights={"kind": 0.3},
        metrics={"size": ["rmse", "r2"], "kind": "accuracy"}, learning_rate=1.0, optimizer="sgd", batch_size=20,
        verbose=False,
    )  # fmt: skip
    params, _ = TWO.init(0, x)
    logits = TWO.replace("branch_0/kind", fc(3, name="kind"))

    def loss(params):
        (a, z), _ = logits.apply(params, {}, x)
        smooth = optax.smooth_labels(jax.nn.one_hot(LABELS, 3), 0.1)
        return jnp.mean((a - size) ** 2) + 0.3 * optax.softmax_cross_entropy(z, smooth).mean()

    value, grad = jax.value_and_grad(loss)(params)
    for y in ((size, LABELS), {"kind": LABELS, "size": size}):
        trained = fit(TWO, x, y, **options)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
            trained.params, jax.tree.map(lambda p, g: p - g, params, grad),
        )  # fmt: skip
        row = trained.history[0]
        assert list(row)[2:] == ["loss", "size_loss", "kind_loss", "size_rmse", "size_r2", "kind_accuracy"]
        assert row["loss"] == pytest.approx(float(value)) == row["size_loss"] + 0.3 * row["kind_loss"]
    part = fit(TWO, x, {"kind": LABELS}, loss={"kind": "focal"}, verbose=False)
    assert list(part.history[0])[2:] == ["loss", "kind_loss"]


def test_outputs_of_a_graph_and_of_a_dict_are_named():
    net = graph(lambda x: (fc(1, name="a")(x), fc(2, name="b")(x)))
    assert Scoring(net, examples(X, (BITS, X[:, :2])), ("mse", "mse")).names == ("loss", "a_loss", "b_loss")
    net = branch(fc(4), fc(4))
    assert Scoring(net, examples(X, (X, X)), ("mse", "mse")).names[1:] == ("fc_0_loss", "fc_1_loss")
    net = branch(identity, identity)  # one array
    assert Scoring(net, examples(X, (X, X)), ("mse", "mse")).names[1:] == ("output_0_loss", "output_1_loss")


@pytest.mark.slow
def test_half_precision_skips_the_softmax_of_each_output():
    y = (X[:, :1], LABELS)
    options = dict(loss={"size": "mse", "kind": "cross_entropy"}, verbose=False, epochs=2)
    half, single = (fit(TWO, X, y, precision=p, **options).history[-1]["kind_loss"] for p in ("bfloat16", None))
    assert half == pytest.approx(single, rel=2e-2)


IDS = np.array([[3, 1, 4, 0], [2, 2, 0, 0], [1, 0, 0, 0], [4, 3, 2, 1]])


@pytest.mark.parametrize(
    "net",
    [
        masked(compose_seq(embedding(5, 3), lstm(4), fc(3, softmax))),
        compose_seq(masked(compose_seq(embedding(5, 3), lstm(4))), fc(6, relu), fc(3, softmax)),
    ],
    ids=["within", "behind"],
)
@pytest.mark.parametrize("precision", [None, pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_padded_steps_do_not_count(net, precision, rng):
    y = rng.integers(0, 3, IDS.shape)
    noise = np.where(IDS == 0, (y + 1) % 3, y)
    options = dict(loss="cross_entropy", metrics="accuracy", batch_size=4, epochs=2, precision=precision, verbose=False)
    first, second = (fit(net, IDS, targets, **options) for targets in (y, noise))
    rows = [{k: v for k, v in t.history[-1].items() if k != "seconds"} for t in (first, second)]
    assert rows[0] == rows[1]
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
    found, real = first.evaluate(IDS, y, batch_size=3), IDS != 0
    right = np.asarray(first.predict(IDS)).argmax(-1) == y
    assert found["accuracy"] == pytest.approx(right[real].mean())


@pytest.mark.slow
def test_a_mask_that_cannot_be_followed_is_asked_about():
    tangled = compose_seq(masked(compose_seq(embedding(5, 3), lstm(4))), lstm(3))
    y = np.zeros(IDS.shape, int)
    for net in (tangled, remat(masked(compose_seq(embedding(5, 3), lstm(3))))):
        with pytest.raises(ConfigError, match=r"masked\(...\) around all layers up to the output"):
            fit(net, IDS, y, loss="cross_entropy", verbose=False)
    fit(tangled, IDS, y, loss="cross_entropy", sample_weight=(IDS != 0).astype(float), verbose=False)
    with pytest.raises(ConfigError, match="flatten_0: expected no padded steps"):
        fit(masked(compose_seq(embedding(5, 3), flatten, fc(2))), IDS, y[:, 0], loss="cross_entropy", verbose=False)


def test_a_loss_that_returns_one_number_cannot_leave_steps_out():
    net = masked(compose_seq(embedding(5, 3), lstm(3)))
    with pytest.raises(ConfigError, match="a loss with a value for each example"):
        fit(net, IDS, np.zeros((4, 4, 3), np.float32), loss=lambda p, t: ((p - t) ** 2).mean(), verbose=False)


def test_validation_is_like_the_examples():
    with pytest.raises(DataError, match=r"validation examples must be like those trained on: \(4,\) each; got \(3,\)"):
        fit(fc(3), X, LABELS, loss="cross_entropy", validation=(X[:, :3], LABELS), verbose=False)
    two = dict(loss={"size": "mse", "kind": "cross_entropy"}, verbose=False)
    with pytest.raises(DataError, match="validation targets have none for the output 'kind'"):
        fit(TWO, X, {"size": BITS, "kind": LABELS}, validation=(X, {"size": BITS}), **two)


def test_losses_without_targets():
    net = branch(fc(2), fc(2), fc(2))
    assert fit(net, X, None, loss="triplet", verbose=False).history[0]["loss"] > 0
    one = fit(fc(2), X, None, loss=lambda p, t: p**2, verbose=False)
    assert one.history[0]["loss"] > 0
    with pytest.raises(ConfigError, match="targets for the loss mse, got none"):
        fit(fc(2), X, None, loss="mse", verbose=False)
    with pytest.raises(ConfigError, match="a tuple of 3 outputs"):
        fit(fc(2), X, None, loss="triplet", verbose=False)
