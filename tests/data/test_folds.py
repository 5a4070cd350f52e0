"""Folds and groups."""

import numpy as np
import pytest

from compose.data import DataError, folds, split


def test_every_example_is_tested_on_once():
    parts = folds(np.zeros(23), 5, seed=1)
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(23))
    assert all(sorted([*train, *test]) == list(range(23)) for train, test in parts)
    same, other = folds(np.zeros(23), 5, seed=1), folds(np.zeros(23), 5, seed=2)
    assert all((a[1] == b[1]).all() for a, b in zip(parts, same)) and any(
        len(a[1]) != len(b[1]) or (a[1] != b[1]).any() for a, b in zip(parts, other)
    )


def test_labels_are_stratified_and_groups_stay_together():
    y = np.repeat([0, 1], [40, 10])
    assert all(np.bincount(y[test]).tolist() == [8, 2] for _, test in folds(y, 5))
    assert {np.bincount(y[test], minlength=2)[1] for _, test in folds(y, 5, stratify=False)} != {2}
    groups = np.arange(50) % 10
    for stratify in (None, True):
        for train, test in folds(y, 5, groups=groups, stratify=stratify):
            assert not {*groups[train]} & {*groups[test]} and len(test)
    assert len(folds([0, 0, 0, 1], 2)) == 2  # too few of one class to stratify by


def test_split_by_group():
    groups = np.arange(50) // 5
    train, test = split(np.arange(50.0)[:, None], np.arange(50.0), 0.2, groups=groups)
    assert len(test) == 10 and not {*groups[train.y.astype(int)]} & {*groups[test.y.astype(int)]}
    with pytest.raises(DataError, match=r"a group for each of 50 examples, got an array of shape \(3,\)"):
        split(np.zeros((50, 1)), np.zeros(50), groups=[1, 2, 3])
    with pytest.raises(DataError, match="cannot split 1 groups"):
        split(np.zeros((50, 1)), np.zeros(50), groups=np.zeros(50))


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.zeros(3), {}, "at least 5 examples for 5 folds, got 3"),
        (np.zeros(9), {"folds": 1}, "at least 2 folds, got 1"),
        (np.zeros(9), {"stratify": True}, "labels to stratify by, got float64"),
        ([0] * 8 + [1], {"stratify": True}, "cannot divide 9 examples into 5 folds: .*least populated"),
        (np.zeros(9), {"groups": [0, 1]}, "a group for each of 9 examples"),
        (np.zeros(9), {"groups": [0] * 9}, "cannot divide 9 examples into 5 folds"),
    ],
)
def test_folds_refuse(y, options, message):
    with pytest.raises(DataError, match=message):
        folds(y, **options)
