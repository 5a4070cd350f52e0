"""Outputs and gradients of attention, positions and embeddings against PyTorch, in float64, with random cotangents."""

import pytest

from tests.cases import attention, embedding, position, transformer
from tests.cases.case import Case
from tests.cases.in_torch import in_torch, prove
from tests.cases.subject import label

CASES = [case for family in (attention, embedding, position, transformer) for case in (*family.CASES, *family.OPTIONS)]


@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c.reference, in_torch)], ids=label)
def test_output_and_gradients(case: Case, x64):
    assert isinstance(case.reference, in_torch)
    prove(case, case.reference)
