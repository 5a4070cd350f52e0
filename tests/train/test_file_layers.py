"""Every case of every family goes into a model file and comes out the same, bit for bit."""

import jax
import pytest

import compose
from compose.core.plan import specs
from compose.train import Trained
from tests.cases.subject import Subject, families
from tests.train.model_file import same

CASES = [pytest.param(case, id=f"{family}: {case.id}") for family, cases in families().items() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_saved_and_loaded(tmp_path, case):
    with jax.enable_x64(True):
        subject = Subject(case)
        inputs = specs(subject.inputs)
        inputs = inputs if len(inputs) > 1 else inputs[0]
        before = Trained(subject.layer, subject.params, subject.state, (), inputs)
        before.save(tmp_path / "m")
        after = compose.load(tmp_path / "m")
    assert after.net == before.net and after.inputs == before.inputs
    same((after.params, after.state), (before.params, before.state))
