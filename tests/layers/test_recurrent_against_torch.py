"""Outputs and gradients of recurrent layers against PyTorch, packed sequences too, in float64."""

import pytest

from tests.cases.case import Case
from tests.cases.in_torch import in_torch, prove
from tests.cases.recurrent import CASES, OPTIONS
from tests.cases.subject import label


@pytest.mark.parametrize("case", [*CASES, *OPTIONS], ids=label)
def test_output_and_gradients(case: Case, x64):
    assert isinstance(case.reference, in_torch)
    prove(case, case.reference)
