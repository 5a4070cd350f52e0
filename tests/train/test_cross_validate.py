"""Cross-validation of whole trainings."""

import numpy as np
import pytest

from compose import compose_seq, cross_validate, data, fc, relu, softmax, standardize
from compose.core.errors import ConfigError, DataError
from tests.train.compilations import compilations

NET = compose_seq(fc(8, relu), fc(3, softmax))
OPTIONS = dict(loss="cross_entropy", metrics="accuracy", learning_rate=0.01, epochs=3)


def test_each_fold_is_a_training_and_an_evaluation_by_hand(capsys):
    flowers = data.iris()
    found = cross_validate(NET, flowers.x, flowers.y, folds=3, seed=2, **OPTIONS)
    for (train, test), scores in zip(data.folds(flowers.y, 3, seed=2), found.scores):
        by_hand = NET.fit(flowers.x[train], flowers.y[train], seed=2, verbose=False, **OPTIONS)
        assert by_hand.evaluate(flowers.x[test], flowers.y[test]) == scores
    values = [s["accuracy"] for s in found.scores]
    assert found.mean["accuracy"] == pytest.approx(np.mean(values))
    assert found.spread["accuracy"] == pytest.approx(np.std(values))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and printed[0].startswith("fold 1: loss ")
    rows = [line.split() for line in str(found).splitlines()]
    assert rows[0] == ["fold", "loss", "accuracy"] and [row[0] for row in rows[1:]] == ["1", "2", "3", "mean", "spread"]
    assert rows[4][2] == f"{np.mean(values):#.4g}" and len({len(line) for line in str(found).splitlines()}) == 1


@pytest.mark.slow
def test_the_step_is_compiled_once():
    flowers = data.iris()
    net = compose_seq(fc(7, relu), fc(3, softmax))
    with compilations() as first:
        cross_validate(net, flowers, folds=2, verbose=False, **OPTIONS)
    with compilations() as more:
        cross_validate(net, flowers, folds=2, verbose=False, **OPTIONS, seed=3)
    assert len(first) > 0 and len(more) == 0


@pytest.mark.slow
def test_a_function_makes_each_fold_its_network_from_its_own_examples():
    rows = {"a": [*range(40)], "w": ["u", "v"] * 20, "y": [2 * i for i in range(40)]}
    table = data.table(rows)
    make = lambda part: compose_seq(part.encoder(), fc(1), part.decoder())
    found = cross_validate(
        make, table, loss="mse", metrics="rmse", learning_rate=0.1, epochs=80, folds=4, verbose=False
    )
    of = lambda net: next(inner for _, inner in net.walk() if isinstance(inner, standardize))
    means = [of(trained.net).mean for trained in found.trained]
    wanted = [table.rows(train).x[0].mean() for train, _ in data.folds(table.y, 4)]
    np.testing.assert_allclose(means, wanted, rtol=1e-6)
    assert found.mean["rmse"] < 2 and found.trained[0].names.columns == table.columns
    arrays = cross_validate(
        lambda x, y: fc(1), table.x[0], table.y, loss="mse", folds=2, verbose=False, sample_weight=np.ones(40)
    )
    assert len(arrays.scores) == 2


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones((9, 2)),), {}, DataError, "needs targets"),
        ((np.ones((9, 2)), np.ones(8)), {}, DataError, "must have the same length; x has 9"),
        ((np.ones((9, 2)), np.ones((9, 1))), {"validation": 0.1}, ConfigError, "no validation in cross-validation"),
        ((np.ones((3, 2)), np.ones((3, 1))), {}, DataError, "at least 5 examples for 5 folds"),
    ],
)
def test_errors(arguments, options, error, message):
    with pytest.raises(error, match=message):
        cross_validate(fc(1), *arguments, loss="mse", **options)
