"""Early stopping, and lowering the rate on a plateau."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import callbacks
from compose.core.errors import ConfigError
from compose.train.callbacks.event import Event
from tests.train.callbacks.problem import NET, X, Y, train


def play(callback, scores, name="val_loss"):
    """The answers of a callback to a score of each epoch."""
    rate, answers = 1.0, []
    now = lambda: train(epochs=1)
    fn = callback.begin(Event("begin", 0, 0, {}, (), NET, rate, now))
    for epoch, value in enumerate(scores, 1):
        answer = fn(Event("epoch", epoch, epoch, {"loss": 1.0, name: value}, (), NET, rate, now))
        rate = answer.rate if answer is not None and answer.rate is not None else rate
        answers.append((bool(answer and answer.stop), rate))
    return answers


def stops(scores, name="val_loss", **options):
    answers = play(callbacks.early_stopping(best=False, **options), scores, name)
    return next((i for i, (stop, _) in enumerate(answers, 1) if stop), None)


def test_when_it_stops():
    assert stops([3, 2, 2.5, 2.6], patience=2) == 4
    assert stops([3, 2, 2.5, 1.9, 2, 2], patience=2) == 6
    assert stops([3, 2.95, 2.9], patience=2, min_delta=0.2) == 3
    assert stops([1, float("nan"), float("nan")], patience=2) == 3
    assert stops([0.5, 0.6, 0.7], "val_accuracy", monitor="val_accuracy", patience=1) is None
    assert stops([0.7, 0.6], "val_accuracy", monitor="val_accuracy", patience=1) == 2
    assert stops([0.7, 0.6], "mine", monitor="mine", patience=1, mode="max") == 2


def test_the_best_parameters_come_back():
    seen = []
    noisy = dict(optimizer="sgd", learning_rate=3.0, epochs=12, validation=(X, Y))
    stopping = callbacks.early_stopping(patience=3)
    trained = train(**noisy, callbacks=[lambda e: seen.append(e.params), stopping])
    best = int(np.argmin([row["val_loss"] for row in trained.history]))
    assert best < len(trained.history) - 1, "the last epoch is not the best, or this test shows nothing"
    jax.tree.map(np.testing.assert_array_equal, trained.params, seen[best])
    again = train(**noisy, callbacks=[stopping])
    jax.tree.map(np.testing.assert_array_equal, trained.params, again.params)


def test_a_plateau_lowers_the_rate():
    rates = lambda scores, **o: [rate for _, rate in play(callbacks.reduce_on_plateau(factor=0.5, **o), scores)]
    assert rates([3, 3, 3, 2, 2, 2], patience=2) == [1, 1, 0.5, 0.5, 0.5, 0.25]
    assert rates([3] * 6, patience=1) == [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]
    assert rates([3] * 6, patience=1, cooldown=1) == [1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert rates([3] * 6, patience=1, least=0.3) == [1, 0.5, 0.3, 0.3, 0.3, 0.3]


def test_what_cannot_be_monitored():
    with pytest.raises(ConfigError, match=r"(?s)monitor out of loss, got 'val_loss'.*validation="):
        train(callbacks=[callbacks.early_stopping("val_loss")])
    with pytest.raises(ConfigError, match='mode="min" or mode="max" for the score \'mine\''):
        callbacks.early_stopping("mine")
    with pytest.raises(ConfigError, match="patience, a number of epochs of at least 1, got 0"):
        callbacks.early_stopping(patience=0)
    with pytest.raises(ConfigError, match="factor between 0 and 1, got 2"):
        callbacks.reduce_on_plateau(factor=2)


@pytest.mark.parametrize(
    "make",
    [callbacks.early_stopping, callbacks.reduce_on_plateau, lambda m: callbacks.save_best("best.safetensors", m)],
)
def test_a_score_that_there_will_not_be_is_told_at_once(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="did you mean 'val_loss'"):
        make("val_los")
    with pytest.raises(ConfigError, match="did you mean 'val_accuracy'"):
        make("val_acc")
    epochs = []
    for monitor, options, text in (
        ("val_loss", {}, "val_ scores need validation= in fit"),
        ("f1", {}, "metrics= in fit says which scores there are"),
        ("val_f1", dict(validation=0.25), "a score to monitor out of loss, val_loss, got 'val_f1'"),
    ):
        with pytest.raises(ConfigError, match=text):
            train(callbacks=[lambda e: epochs.append(e.epoch), make(monitor)], **options)
    assert not epochs
