"""Data that comes as batches: what is trained on, and where it goes on."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import compose
from compose import callbacks, compose_seq, dropout, fc, relu, schedules, sigmoid
from compose.core.errors import ConfigError, DataError
from compose.train import fit
from compose.train.metrics import ranking

NET = compose_seq(fc(8, relu), dropout(0.2), fc(3))
X = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
Y = np.arange(50) % 3


def in_order(epoch, size=16):
    """The batches that `fit` makes of arrays."""
    order = np.random.default_rng([0, epoch]).permutation(len(X))
    for at in range(0, len(X), size):
        yield X[order[at : at + size]], Y[order[at : at + size]]


def train(data, y=None, **options):
    defaults = dict(loss="cross_entropy", epochs=3, batch_size=16, verbose=False, metrics="accuracy")
    return fit(NET, data, y, **{**defaults, **options})


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a.params, b.params)
    for x, y in zip(a.history, b.history, strict=True):
        assert {k: v for k, v in x.items() if k != "seconds"} == {k: v for k, v in y.items() if k != "seconds"}


class Pairs:
    """A data set of examples, as for torch."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i], Y[i]


@pytest.mark.slow
def test_the_batches_of_arrays_as_a_stream():
    whole = train(X, Y)
    same(train(in_order), whole)
    same(train(Pairs()), whole)
    forever = lambda: (batch for epoch in range(100) for batch in in_order(epoch))
    same(train(forever, steps_per_epoch=4), whole)
    same(train(forever(), steps_per_epoch=4), whole)
    same(train(list(in_order(0)).__iter__(), epochs=1), train(X, Y, epochs=1))


@pytest.mark.slow
def test_validation_and_evaluation():
    trained = train(in_order, validation=(X, Y))
    assert trained.history[-1]["val_loss"] == pytest.approx(trained.evaluate(X, Y)["loss"], rel=1e-5)
    streamed = train(in_order, validation=lambda: iter([(X[:30], Y[:30]), (X[30:], Y[30:])]))
    assert streamed.history[-1]["val_loss"] == pytest.approx(trained.history[-1]["val_loss"], rel=1e-5)
    order, weights = np.random.default_rng([0, 0]).permutation(50), np.arange(50.0, dtype=np.float32)
    weighted = train(lambda: [(X[order], Y[order], weights[order])], epochs=1)
    same(weighted, train(X, Y, sample_weight=weights, batch_size=50, epochs=1))


class Cut(Exception):
    pass


def resumed(make, tmp_path, at, **options):
    """A stream cut after `at` steps and resumed, each time with the data made anew."""

    def run(cut):
        def look(event):
            if event.step == cut:
                raise Cut

        kept = compose.checkpoint(tmp_path, steps=1)
        return train(make(), checkpoint=kept, callbacks=[callbacks.every(1)(look)], **options)

    with pytest.raises(Cut):
        run(at)
    return run(None)


@pytest.mark.parametrize("at", [3, 5, 9])
def test_streams_are_resumed(at, tmp_path):
    whole = train(X, Y)
    same(resumed(lambda: in_order, tmp_path / "a", at), whole)
    forever = lambda: (batch for epoch in range(100) for batch in in_order(epoch))
    same(resumed(forever, tmp_path / "b", at, steps_per_epoch=4), whole)
    same(resumed(lambda: forever, tmp_path / "c", at, steps_per_epoch=4), whole)


@pytest.mark.slow  # grain takes seconds to import
@pytest.mark.parametrize("steps", [None, 5])
def test_grain(steps, tmp_path):
    grain = pytest.importorskip("grain")

    def data():
        source = grain.MapDataset.range(len(X)).seed(1).shuffle()
        source = source.repeat() if steps else source
        return source.batch(16, drop_remainder=True).map(lambda rows: (X[rows], Y[rows])).to_iter_dataset()

    whole = train(data(), steps_per_epoch=steps)
    assert whole.session.steps == 3 * (steps or 3)
    same(resumed(data, tmp_path, 5, steps_per_epoch=steps), whole)


@pytest.mark.slow  # so does torch
def test_loaders_of_torch():
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    same(train(torch.utils.data.DataLoader(pairs, 50), epochs=1), train(lambda: [(X, Y)], epochs=1))
    same(train(pairs), train(X, Y))
    same(train(torch.from_numpy(X).requires_grad_(), torch.from_numpy(Y)), train(X, Y))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
def test_tf_data():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    same(train(data), train(lambda: [(X[at : at + 16], Y[at : at + 16]) for at in range(0, 50, 16)]))
    same(train(tf.constant(X), tf.constant(Y)), train(X, Y))


def test_whatever_has_array():
    class Table:
        def __init__(self, a):
            self.a = a

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.a, dtype)

        def __iter__(self):
            return iter("names of columns")

        def __getitem__(self, key):
            raise KeyError(key)

    same(train(Table(X), Table(Y)), train(X, Y))


def test_a_memmap_is_read_a_chunk_at_a_time(tmp_path):
    X.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape)
    read = []

    class Watched(np.memmap):
        def __getitem__(self, rows):
            if isinstance(rows, np.ndarray):
                read.append(len(rows))
            return super().__getitem__(rows)

    same(train(mapped.view(Watched), Y, memory=900), train(X, Y))
    assert max(read) < 50 and len(read) > 6


def test_the_last_step_runs_while_the_next_batch_is_read():
    order = []
    look = callbacks.every(1)(lambda e: order.append(("done", e.step)))

    def batches():
        for i in range(3):
            order.append(("read", i))
            yield X, Y

    train(batches, epochs=1, callbacks=[look])
    assert order == [("read", 0), ("read", 1), ("done", 1), ("read", 2), ("done", 2), ("done", 3)]


def test_what_is_no_stream():
    class Endless:
        def __getitem__(self, i):
            return X[0], Y[0]

    for data, message in [
        (Endless(), "Endless has no length, so .* may go on for ever; define __len__"),
        (in_order(0), "the data gave 0 batches in epoch 2: an iterator is used up after one pass; give a function"),
        (lambda: [], "the data gave no batch"), (lambda: 3, "must return an iterator; got int"),
        (lambda: [X], r"each batch must be a pair \(x, y\), or \(x, y, sample_weight\); got ndarray"),
        (lambda: [{"image": X}], "got dict"), (lambda: [(X, Y + 7)], "labels must be between 0 and 2"),
        (lambda: [(X, Y), (X * np.nan, Y)], "nan"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=message):
            train(data)
    for options, message in [
        (dict(class_weight="balanced"), "a weight for each class, for a stream whose classes are not counted"),
        (dict(class_weight={"a": 2.0}), "class_weight for integer classes"), (dict(sample_weight=Y), "in the batches"),
        (dict(learning_rate=schedules.cosine(0.1)), "a number of steps for the schedule"),
    ]:  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            train(in_order, **options)
    with pytest.raises(ConfigError, match="steps_per_epoch only for a stream"):
        train(X, Y, steps_per_epoch=3)
    with pytest.raises(DataError, match="validation of a stream must be a pair"):
        train(in_order, validation=0.2)
    with pytest.raises(ConfigError, match="y and sample_weight in the batches of a stream"):
        train(Endless(), Y)
    with pytest.raises(DataError, match=r"y gives examples by index, as a Endless; a data set of pairs is fit\(data\)"):
        train(X, Endless())


def test_scores_of_all_examples_are_kept_however_many_come(monkeypatch):
    monkeypatch.setattr(ranking, "ROOM", 16)  # so that it grows twice
    options = dict(metrics=["auc", "average_precision"], class_weight={2: 3.0})
    streamed = train(in_order, validation=lambda: in_order(0), **options)
    arrays = train(X, Y, validation=(X, Y), **options)
    for a, b in zip(streamed.history, arrays.history, strict=True):
        assert {**a, "seconds": 0} == pytest.approx({**b, "seconds": 0}, rel=1e-6)
    assert streamed.evaluate(in_order(0)) == pytest.approx(arrays.evaluate(X, Y), rel=1e-6)
    mixed = train(X, Y, validation=lambda: in_order(0), **options)
    assert mixed.history[-1]["val_auc"] == pytest.approx(arrays.history[-1]["val_auc"])


def test_steps_of_several_lengths_count_for_the_auc(rng):
    x, y = rng.normal(size=(30, 7, 3)).astype(np.float32), rng.integers(0, 2, (30, 7, 1))
    parts = lambda: ((x[at : at + 8, at // 8 :], y[at : at + 8, at // 8 :]) for at in range(0, 30, 8))
    trained = fit(fc(1, sigmoid), parts, loss="binary_cross_entropy", metrics="auc", verbose=False)
    truth, scores = (np.concatenate([a.ravel() for a in each]) for each in zip(*(
        (t, np.asarray(trained.predict(v))) for v, t in parts()
    )))  # fmt: skip
    assert trained.evaluate(parts)["auc"] == pytest.approx(roc_auc_score(truth, scores))


@pytest.mark.slow
def test_kept_scores_are_in_the_checkpoint(tmp_path):
    def cut(event):
        if cutting and event.step == 6:
            raise KeyboardInterrupt

    cutting, stops = True, [callbacks.every(1)(cut)]
    options = dict(metrics="auc", class_weight={2: 3.0}, callbacks=stops)
    with pytest.raises(KeyboardInterrupt):
        train(in_order, checkpoint=compose.checkpoint(tmp_path, steps=1), **options)
    cutting = False
    same(train(in_order, checkpoint=compose.checkpoint(tmp_path, steps=1), **options), train(in_order, **options))


def test_batches_in_which_nothing_counts():
    weighed = lambda: ((x, y, np.full(len(y), i == 1)) for i, (x, y) in enumerate(in_order(0)))
    assert np.isfinite(train(weighed).history[-1]["loss"])
    ignored = lambda: ((x, np.where(i == 1, y, -1)) for i, (x, y) in enumerate(in_order(0)))
    one = list(in_order(0))[1]
    trained = train(ignored, ignore_label=-1)
    assert trained.evaluate(ignored)["loss"] == pytest.approx(trained.evaluate(*one)["loss"], rel=1e-6)


def test_lines_without_a_count(capsys):
    train(in_order, verbose=True, epochs=1)
    assert "examples/s" in capsys.readouterr().out
