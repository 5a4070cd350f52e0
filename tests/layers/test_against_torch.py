"""Output, state and gradients of further options against PyTorch, in float64, with random cotangents.

The cases of `test_every_layer.py` are compared there.
"""

import pytest

from tests.cases.case import Case
from tests.cases.in_torch import in_torch, prove
from tests.cases.subject import families, label

ALL = [case for cases in families("OPTIONS").values() for case in cases]
INFERENCE = [case for case in ALL if isinstance(case.reference, in_torch)]
TRAINING = [case for case in ALL if isinstance(case.train_reference, in_torch)]


@pytest.mark.parametrize("case", INFERENCE, ids=label)
def test_inference(case: Case, x64):
    prove(case, case.reference, train=False)


@pytest.mark.parametrize("case", TRAINING, ids=label)
def test_training(case: Case, x64):
    prove(case, case.train_reference, train=True)
