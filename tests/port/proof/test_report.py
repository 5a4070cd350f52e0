"""The comparison of two arrays: numbers that are not finite, and what proves nothing."""

import numpy as np
import pytest

from compose.port.proof.report import Report, compare

A = np.array([1.0, np.inf, np.nan, -2.0])


def row(a, b):
    return compare("outputs", {"output 0": (np.asarray(a), np.asarray(b))}, 1e-10)


def test_equal_infinities_and_gaps_are_equal():
    assert row(A, A).ok


@pytest.mark.parametrize("other", [[1.0, -np.inf, np.nan, -2.0], [1.0, np.inf, 0.0, -2.0], [1.0, np.inf, np.nan, -2.1]])
def test_others_are_not(other):
    assert not row(other, A).ok and not row(A, other).ok


def test_an_array_without_a_finite_number_proves_nothing():
    made = row([np.nan, np.nan], [np.nan, np.nan])
    assert not made.ok and "proves nothing" in made.worst
    assert "proves nothing" not in row([1.0, 2.0], [np.nan, np.nan]).worst


def test_a_prompt_shows_what_print_does():
    report = Report("net", "outputs", 0, 1e-10, (row(A, A),))
    assert repr(report) == str(report) and "port proven equal" in repr(report)
