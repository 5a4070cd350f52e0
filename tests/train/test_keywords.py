"""Keywords of other libraries' training loops: what to write instead."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from compose import callbacks, checkpoint, fc, fit
from compose.train.keywords import FIT_KEYWORDS
from compose.train.trained import Trained

X = np.ones((4, 3), np.float32)
WRITTEN = {
    "validation_split": "validation=0.2",
    "validation_data": "validation=(x, y)",
    "shuffle": "shuffled anew in every epoch",
    "initial_epoch": "trained.fit(...) goes on",
    "max_epochs": "did you mean epochs=?",
    "lr": "did you mean learning_rate=?",
    "batchsize": "did you mean batch_size=?",
    "bs": "did you mean batch_size=?",
    "callback": "did you mean callbacks=?",
    "metric": "did you mean metrics=?",
    "criterion": "did you mean loss=?",
    "gradient_clip_val": "did you mean clip=?",
    "class_weights": "did you mean class_weight=?",
    "weight_decay": "optax.adamw(1e-3, weight_decay=1e-4)",
    "random_state": "did you mean seed=?",
}


def test_fit_says_what_to_write():
    for keyword, text in WRITTEN.items():
        with pytest.raises(TypeError) as error:
            fc(1).fit(X, X[:, :1], loss="mse", verbose=False, **{keyword: 1})
        assert str(error.value).startswith(f"fit() got an unexpected keyword argument '{keyword}'; ")
        assert text in str(error.value)


def test_what_is_trained_says_it_too():
    trained = Trained(fc(1), {}, {}, (), None)
    for method in (trained.fit, trained.evaluate, trained.predict):
        with pytest.raises(TypeError, match="did you mean batch_size="):
            method(X, batch=3)


def test_every_keyword_leads_somewhere():
    takes = inspect.signature(fit).parameters
    for keyword, said in FIT_KEYWORDS.items():
        assert keyword not in takes and set(said.partition(":")[0].split()) <= set(takes), keyword


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: callbacks.early_stopping(restore_best_weights=True), "did you mean best=?"),
        (lambda: callbacks.reduce_on_plateau(min_lr=1e-5), "did you mean least=?"),
        (lambda: callbacks.tensorboard(log_dir="runs"), "did you mean folder=?"),
        (lambda: callbacks.csv_log(filename="log.csv"), "did you mean path=?"),
        (lambda: callbacks.save_best(filepath="best.safetensors"), "did you mean path=?"),
        (lambda: callbacks.save_best("best", save_freq=3), "checkpoint('folder', steps=500)"),
        (lambda: checkpoint("folder", save_freq=3), "did you mean steps=?"),
        (lambda: fc(1).apply({}, {}, X, training=True), "did you mean train=?"),
        (lambda: fc(1).apply({}, {}, X, mutable=["batch_stats"]), "the second of what it returns"),
    ],
)
def test_callbacks_and_apply_say_what_to_write(call, text):
    with pytest.raises(TypeError, match="got an unexpected keyword argument") as error:
        call()
    assert text in str(error.value)
