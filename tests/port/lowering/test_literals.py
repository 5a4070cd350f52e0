"""Numbers in constants, without reading what a broadcast array repeats."""

from __future__ import annotations

import numpy as np
import pytest

from compose.port.lowering.literals import number, single


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        (np.float32(2.5) * np.ones((2, 3)), 2.5),
        (np.broadcast_to(np.asarray(3), (10**9, 10**9)), 3.0),
        (np.array([1, 2]), None),
        (np.zeros((0, 2)), None),
        (np.array(True), 1.0),
        (4, 4.0),
        ("4", None),
    ],
)
def test_the_number_that_a_constant_is_everywhere(constant, value):
    assert number(constant) == value


def test_an_array_of_one_number():
    assert single(np.array([[3]])) == 3 and isinstance(single(np.array(3)), int)
    pair = np.array([1, 1])
    assert single(pair) is pair
