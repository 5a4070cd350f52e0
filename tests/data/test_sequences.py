"""Sequences of several lengths as one array."""

from __future__ import annotations

import numpy as np
import pytest

from compose import data
from compose.core.errors import DataError


def test_sequences_are_padded_at_their_end():
    padded = data.pad_sequences([[3, 1, 4], [5], []], value=-1)
    np.testing.assert_array_equal(padded, [[3, 1, 4], [5, -1, -1], [-1, -1, -1]])
    assert padded.dtype == np.int32
    np.testing.assert_array_equal(data.pad_sequences([[3, 1, 4], [5]], length=2), [[3, 1], [5, 0]])
    vectors = data.pad_sequences([np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)])
    assert vectors.shape == (2, 2, 3) and vectors.dtype == np.float32 and vectors[1, 1].sum() == 0


@pytest.mark.parametrize(
    "rows, text",
    [
        ([], "no sequences to pad"),
        ([1, 2], "each a list or an array of steps"),
        ([np.ones((2, 3)), np.ones((2, 4))], "must have one shape"),
    ],
)
def test_what_is_refused(rows, text):
    with pytest.raises(DataError, match=text):
        data.pad_sequences(rows)
