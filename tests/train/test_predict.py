"""Predictions and scores of batches that come one after another, against those of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from compose import compose_seq, concat, dropout, embedding, fc, lstm, masked, parallel, relu, softmax
from compose.core.errors import ConfigError, DataError

X = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
Y = np.arange(50) % 3
PLACES = (slice(0, 16), slice(16, 32), slice(32, 50))


@pytest.fixture(scope="module")
def trained():
    net = compose_seq(fc(8, relu), dropout(0.2), fc(3, softmax))
    return net.fit(X, Y, loss="cross_entropy", metrics=["accuracy", "f1"], epochs=2, verbose=False)


@pytest.fixture(scope="module")
def of_two():
    net = compose_seq(parallel(fc(4), fc(4)), concat, fc(1))
    return net.fit((X, X[:, :2]), X[:, :1], loss="mse", verbose=False)


class Items:
    """Examples by index."""

    def __init__(self, item):
        self.item = item

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return self.item(i)


def close(a, b):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (X[rows] for rows in PLACES),
        lambda: lambda: ([X[rows], Y[rows]] for rows in PLACES),
        lambda: lambda: ((X[rows],) for rows in PLACES),
        lambda: lambda epoch: ((X[rows], Y[rows], np.ones(len(Y[rows]))) for rows in PLACES),
        lambda: lambda: (X[rows].tolist() for rows in PLACES),
        lambda: lambda: ((list(X[rows]), list(Y[rows])) for rows in PLACES),
        lambda: Items(lambda i: (X[i], Y[i])),
        lambda: Items(lambda i: [X[i].tolist(), Y[i]]),
        lambda: Items(lambda i: X[i]),
    ],
)
def test_predictions_are_those_of_arrays(trained, make):
    close(trained.predict(make(), batch_size=7), trained.predict(X))


def test_inputs_are_told_from_targets_by_their_structure(of_two):
    want = of_two.predict((X, X[:, :2]))
    for batch in [
        lambda rows: (X[rows], X[rows, :2]), lambda rows: [X[rows], X[rows, :2]],
        lambda rows: ((X[rows], X[rows, :2]), X[rows, :1]), lambda rows: [[X[rows], X[rows, :2]], X[rows, :1]],
    ]:  # fmt: skip
        close(of_two.predict(batch(rows) for rows in PLACES), want)
    with pytest.raises(DataError, match=r"each batch must be x, \(x, y\) or .*, with x of shape .*; got"):
        of_two.predict(iter([(X, X[:, :2], Y)]))


def test_scores_are_those_of_arrays(trained):
    want = trained.evaluate(X, Y)
    for data in [
        ((X[rows], Y[rows]) for rows in PLACES), lambda: [[X[rows], Y[rows]] for rows in PLACES],
        Items(lambda i: (X[i], Y[i])), lambda: ((X[rows], Y[rows], np.ones(len(Y[rows]))) for rows in PLACES),
    ]:  # fmt: skip
        assert trained.evaluate(data, batch_size=7) == pytest.approx(want, rel=1e-5)
    weights = np.arange(50.0)
    weighted = trained.evaluate((X[rows], Y[rows], weights[rows]) for rows in PLACES)
    assert weighted == pytest.approx(trained.evaluate(X, Y, sample_weight=weights), rel=1e-5)
    table = trained.evaluate(((X[rows], Y[rows]) for rows in PLACES), metrics="confusion")["confusion"]
    np.testing.assert_array_equal(table, trained.evaluate(X, Y, metrics="confusion")["confusion"])


def test_a_loss_that_runs_the_network_itself():
    loss = lambda net, params, state, x, rng: net.apply(params, state, x)[0].mean()
    trained = fc(2).fit(X, loss=loss, verbose=False)
    assert trained.evaluate(X[rows] for rows in PLACES) == pytest.approx(trained.evaluate(X), rel=1e-5)


def test_loaders_of_torch_and_progress(trained, capsys):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    loader = data.DataLoader(data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), 20)
    close(trained.predict(loader, verbose=True), trained.predict(X))
    assert capsys.readouterr().out.startswith("50 examples  ")
    scores = ["auc", "f1"]
    found = trained.evaluate(loader, metrics=scores, verbose=True)
    assert capsys.readouterr().out.startswith("50 examples  ")
    assert found == pytest.approx(trained.evaluate(X, Y, metrics=scores), rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported
def test_tf_data_and_grain(trained):
    tf, grain = pytest.importorskip("tensorflow"), pytest.importorskip("grain")
    source = grain.MapDataset.range(50).batch(16)
    for make in [
        lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(16),
        lambda: source.map(lambda rows: (X[rows], Y[rows])),
        lambda: source.map(lambda rows: (X[rows], Y[rows])).to_iter_dataset(),
    ]:
        close(trained.predict(make()), trained.predict(X))
        assert trained.evaluate(make()) == pytest.approx(trained.evaluate(X, Y), rel=1e-5)
    close(trained.predict(source.map(lambda rows: X[rows])), trained.predict(X))


def test_a_memmap_is_read_a_batch_at_a_time(trained, tmp_path):
    X.tofile(tmp_path / "x")
    read = []

    class Watched(np.memmap):
        def __getitem__(self, rows):
            read.append(rows)
            return super().__getitem__(rows)

    mapped = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape).view(Watched)
    close(trained.predict(mapped, batch_size=16), trained.predict(np.array(X)))
    assert slice(16, 32) in read and all(rows.stop - (rows.start or 0) <= 16 for rows in read)
    assert trained.evaluate(mapped, Y) == pytest.approx(trained.evaluate(X, Y), rel=1e-5)


def test_batches_of_several_lengths():
    words = np.random.default_rng(1).integers(1, 7, (24, 9))
    tags, short = words % 2, slice(0, 5)
    tagger = masked(compose_seq(embedding(7, 4), lstm(4), fc(2, softmax)))
    batches = lambda: [(words[:12], tags[:12]), (words[12:, short], tags[12:, short])]
    trained = tagger.fit(batches, loss="cross_entropy", metrics="accuracy", epochs=2, verbose=False)
    padded = words.copy()
    padded[12:, 5:] = 0
    want = trained.evaluate(padded, tags, sample_weight=(padded > 0).astype(np.float32))
    assert trained.evaluate(batches) == pytest.approx(want, rel=1e-5)
    with pytest.raises(DataError, match=r"labels \(n, 5\) or one-hot"):
        trained.evaluate(lambda: [(words[12:, short], tags[12:])])


def test_what_is_refused(trained):
    used = iter([(X, Y)])
    trained.evaluate(used)
    for run, message in [
        (lambda: trained.evaluate(used), "the data gave no batch: an iterator is used up after one pass"),
        (lambda: trained.evaluate(iter([(X, Y), (X * np.nan, Y)])), "nan"),
        (lambda: trained.evaluate(iter([(X, Y), (X[:, :3], Y)])), r"like the first: \(5,\) each; got \(3,\)"),
        (lambda: trained.evaluate(iter([X])), "each batch must be a pair"),
        (lambda: trained.evaluate(Items(lambda i: X[i])), r"data\[i\] must be a pair \(x, y\); got ndarray"),
        (lambda: trained.predict(iter([])), "no examples to predict"),
        (lambda: trained.predict(lambda: 3), "must return an iterator; got int"),
        (lambda: trained.predict(iter([{"x": X}])), r"with x of shape \(1, 5\); got \{"),
        (lambda: trained.predict(iter([(X, Y), X[:, :3]])), r"5"),
    ]:  # fmt: skip
        with pytest.raises((DataError, ValueError), match=message):
            run()
    with pytest.raises(ConfigError, match="in the batches of a stream"):
        trained.evaluate(iter([(X, Y)]), Y)
    with pytest.raises(ConfigError, match="batch_size to be an integer of at least 1"):
        trained.predict(iter([X]), batch_size=0)
    with pytest.raises(ConfigError, match=r"(?s)got \(50,\).*predict takes no targets; several inputs are one tuple"):
        trained.predict(X, np.zeros(50, np.float32))
    with pytest.raises(DataError, match="x must hold real numbers, as in training; got complex64"):
        trained.predict(X + 1j)
