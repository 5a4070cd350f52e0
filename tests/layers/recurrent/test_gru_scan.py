"""The GRU's own scan and derivative are those of the plain scan, through every transformation."""

from __future__ import annotations

import pytest

from compose import gru
from tests.layers.recurrent import plain_scan

CASES = {
    "sequence": {},
    "last": {"output": "last"},
    "reversed, with its carry": {"reverse": True, "return_carry": True},
    "unrolled": {"unroll": 3},
    "recurrent dropout": {"recurrent_dropout": 0.4, "dropout": 0.3},
    "bias of the candidate": {"recurrent_bias": "candidate"},
    "no recurrent bias": {"recurrent_bias": False},
}


@pytest.mark.parametrize(
    ("name", "padded"), [("sequence", False), *((name, bool(i % 2)) for i, name in enumerate(CASES, start=1))]
)
def test_every_derivative_is_that_of_the_plain_scan(name, padded, x64):
    plain_scan.expect_every_derivative_of(gru, 1, CASES[name], padded)


@pytest.mark.slow
def test_batched(x64):
    plain_scan.expect_equal_batched(gru, 1)


@pytest.mark.slow
def test_inside_other_layers(x64):
    plain_scan.expect_equal_inside_other_layers(gru)


def test_the_gradient_of_the_recurrent_kernel_is_one_product():
    assert plain_scan.products_in_the_loops(gru) == [1, 1]
