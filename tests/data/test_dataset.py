"""Labels, one-hot rows and the division into parts."""

import numpy as np
import pytest

from compose.data import DataError, Dataset, iris, one_hot, split


def test_split_divides_without_loss_and_keeps_the_classes():
    data = iris()
    train, test = data.split(test=0.2, seed=3)
    assert (len(train), len(test)) == (120, 30)
    assert np.bincount(test.y).tolist() == [10, 10, 10]
    together = np.concatenate([train.x, test.x])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(data.x, axis=0))
    assert train.names == data.names


def test_split_is_decided_by_the_seed():
    x = np.arange(100.0)[:, None]
    a, b, c = (split(x, np.arange(100), seed=s, stratify=False).test.x for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.ones((4, 2)), np.ones(3, int), {}, r"as many labels as examples, got x \(4, 2\) and y \(3,\)"),
        (np.ones((4, 2)), np.ones(4, int), {"test": 1.5}, "between 0 and 1, got 1.5"),
        (np.ones((4, 2)), np.ones(4), {}, "labels to stratify by, got float64.*stratify=False"),
        (np.ones((4, 2)), np.arange(4), {}, "cannot split 4 examples"),
        (np.ones((0, 2)), np.ones(0, int), {}, "cannot split 0 examples"),
    ],
)
def test_split_refuses(x, y, options, message):
    with pytest.raises(DataError, match=message):
        split(x, y, **options)


def test_one_hot():
    np.testing.assert_array_equal(one_hot(np.array([[0, 2]], np.uint8), 3), [[[1, 0, 0], [0, 0, 1]]])
    data = Dataset(np.zeros((2, 1), np.float32), np.array([1, 0], np.int32), ("a", "b"))
    np.testing.assert_array_equal(data.one_hot, [[0, 1], [1, 0]])
    assert one_hot(np.zeros(0, int), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 3], r"labels in 0..2, got 0..3"), ([-1], r"got -1..-1"), ([0.5], "integer labels, got float64")],
)
def test_one_hot_refuses_what_has_no_row(labels, message):
    with pytest.raises(DataError, match=message):
        one_hot(labels, 3)
