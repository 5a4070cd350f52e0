"""Sequences of several lengths as one array."""

from __future__ import annotations

import numpy as np
import pytest

from compose import data
from compose.core.errors import DataError


def test_sequences_are_padded_at_their_end():
    padded = data.pad_sequences([[3, 1, 4], [5], []], value=-1)
    np.testing.assert_array_equal(padded, [[3, 1, 4], [5, -1, -1], [-1, -1, -1]])
    assert data.pad_sequences([[2**40], [1, 2]])[0, 0] == 2**40, "as it is: fit says that it is too large"
    np.testing.assert_array_equal(data.pad_sequences([[1, 2], [3]], value=0.5), [[1, 2], [3, 0.5]])
    np.testing.assert_array_equal(data.pad_sequences([[3, 1, 4], [5]], length=2), [[3, 1], [5, 0]])
    vectors = data.pad_sequences([np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)])
    assert vectors.shape == (2, 2, 3) and vectors.dtype == np.float32 and vectors[1, 1].sum() == 0


@pytest.mark.parametrize(
    "rows, text",
    [
        ([], "no sequences to pad"),
        ([1, 2], "each a list or an array of steps"),
        ([np.ones((2, 3)), np.ones((2, 4))], "must have one shape"),
        ([["a", "b"], ["c"]], "must hold numbers"),
        ([[1, None], [2]], "must hold numbers"),
    ],
)
def test_what_is_refused(rows, text):
    with pytest.raises(DataError, match=text):
        data.pad_sequences(rows)


def test_a_length_of_nothing():
    with pytest.raises(DataError, match="at least 1; got 0"):
        data.pad_sequences([[1], [2]], length=0)
