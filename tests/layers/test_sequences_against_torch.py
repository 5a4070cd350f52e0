"""Outputs and gradients of the sequence layers against PyTorch, in float64, with random cotangents."""

import importlib

import pytest

from tests.cases.case import Case
from tests.cases.in_torch import in_torch, prove
from tests.cases.subject import label

FAMILIES = ["attention", "embedding", "position", "recurrent", "transformer"]
MODULES = [importlib.import_module(f"tests.cases.{name}") for name in FAMILIES]
CASES = [case for module in MODULES for case in (*module.CASES, *module.OPTIONS)]


@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c.reference, in_torch)], ids=label)
def test_output_and_gradients(case: Case, x64):
    assert isinstance(case.reference, in_torch)
    prove(case, case.reference)
