"""When callbacks are called, with what, and what their answers do."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from compose import callbacks
from compose.core.errors import ConfigError, LayerError
from tests.train.callbacks.problem import NET, X, Y, timeless, train
from tests.train.compilations import compilations


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_function_is_called_at_the_end_of_every_epoch():
    events = []
    trained = train(callbacks=[events.append], validation=(X, Y))
    assert [(e.on, e.epoch, e.step) for e in events] == [("epoch", 1, 4), ("epoch", 2, 8), ("epoch", 3, 12)]
    assert [e.scores for e in events] == list(trained.history)
    assert [len(e.history) for e in events] == [1, 2, 3]
    same(events[-1].params, trained.params)
    assert not trained.interrupted


def test_every_so_many_steps_and_the_event_is_of_its_moment():
    seen = []

    @callbacks.every(3)
    def look(event):
        seen.append((event.step, event.epoch, event.scores["loss"], event.trained))

    trained = train(callbacks=[look])
    assert [(step, epoch) for step, epoch, _, _ in seen] == [(3, 1), (6, 2), (9, 3), (12, 3)]
    same(seen[-1][3].params, trained.params)
    assert seen[-1][2] == trained.history[-1]["loss"]
    first = train(epochs=1)
    on = first.fit(X, Y, epochs=2)
    same(on.params, trained.params)
    assert seen[0][3].predict(X).shape == (20, 3)


def test_watching_changes_nothing_and_compiles_nothing():
    train()
    with compilations() as compiled:
        plain = train()
    assert not compiled
    watched = train(callbacks=[lambda event: None, callbacks.every(1)(lambda event: None)])
    same(watched.params, plain.params)
    assert timeless(watched.history) == timeless(plain.history)


def test_stop_ends_the_training():
    trained = train(callbacks=[lambda e: callbacks.stop if e.epoch == 2 else None])
    assert len(trained.history) == 2
    assert not trained.interrupted
    mid = train(callbacks=[callbacks.every(6)(lambda e: callbacks.stop)])
    assert len(mid.history) == 1
    assert mid.session.steps == 6


def test_replaced_parameters_are_trained_on():
    zeros = lambda e: callbacks.replace(params=jax.tree.map(np.zeros_like, e.params)) if e.epoch == 1 else None
    same(train(epochs=1, callbacks=[zeros]).params, jax.tree.map(np.zeros_like, train().params))
    start = NET.init(0, X)
    moved = train(epochs=1, callbacks=[callbacks.every(4)(lambda e: callbacks.replace(params=start[0]))])
    same(moved.params, start[0])
    with pytest.raises(LayerError, match="fc_0"):
        train(callbacks=[lambda e: callbacks.replace(params={"fc_0": {}})])


@pytest.mark.slow
def test_a_rate_of_zero_stands_still():
    trained = train(optimizer="sgd", callbacks=[lambda e: callbacks.replace(rate=0.0)])
    same(trained.params, train(optimizer="sgd", epochs=1).params)
    half = train(optimizer="sgd", learning_rate=0.1, callbacks=[lambda e: callbacks.replace(rate=0.5)])
    by_hand = train(optimizer="sgd", learning_rate=0.1, epochs=1).fit(
        X, Y, optimizer="sgd", learning_rate=0.05, epochs=2
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), half.params, by_hand.params)


def test_objects_begin_anew_in_each_training_and_are_closed():
    log = []

    class Counting(callbacks.Callback):
        on = ("epoch", "end")

        def begin(self, event):
            log.append((event.on, event.epoch))

            class Count:
                def __call__(self, event):
                    log.append((event.on, event.epoch))

                def close(self):
                    log.append("closed")

            return Count()

    count = Counting()
    train(epochs=1, callbacks=[count])
    assert log == [("begin", 0), ("epoch", 1), ("end", 1), "closed"]
    log.clear()
    with pytest.raises(ZeroDivisionError):
        train(callbacks=[count, lambda e: 1 / 0])
    assert log[-1] == "closed"


def test_what_is_no_callback_or_no_answer_is_an_error():
    with pytest.raises(ConfigError, match=r"early_stopping\(\.\.\.\) makes one"):
        train(callbacks=[callbacks.early_stopping])
    with pytest.raises(ConfigError, match="got 3"):
        train(callbacks=[3])
    with pytest.raises(ConfigError, match=r"the callback function to return None, callbacks.stop .*got True"):
        train(callbacks=[lambda e: True])
    with pytest.raises(ConfigError, match="a number of steps of at least 1, got 0"):
        callbacks.every(0)
