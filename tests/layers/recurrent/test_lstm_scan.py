"""The LSTM's own scan and derivative are those of the plain scan, through every transformation."""

from __future__ import annotations

import pytest

from compose import lstm
from tests.layers.recurrent import plain_scan

CASES = {
    "sequence": {},
    "last": {"output": "last"},
    "reversed, with its carry": {"reverse": True, "return_carry": True},
    "recurrent dropout": {"recurrent_dropout": 0.4, "dropout": 0.3},
}


@pytest.mark.parametrize(
    ("name", "padded"), [("sequence", False), *((name, bool(i % 2)) for i, name in enumerate(CASES, start=1))]
)
def test_every_derivative_is_that_of_the_plain_scan(name, padded, x64):
    plain_scan.expect_every_derivative_of(lstm, 2, CASES[name], padded)


def test_batched(x64):
    plain_scan.expect_equal_batched(lstm, 2)


@pytest.mark.slow
def test_inside_other_layers(x64):
    plain_scan.expect_equal_inside_other_layers(lstm)


def test_the_gradient_of_the_recurrent_kernel_is_one_product():
    assert plain_scan.products_in_the_loops(lstm) == [1, 1]
