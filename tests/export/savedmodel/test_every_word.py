"""The cases of the catalogue as a SavedModel, run by TensorFlow."""

from __future__ import annotations

import functools

import pytest

from compose.export import ExportError, to_savedmodel
from tests.cases.case import Case
from tests.cases.subject import Subject
from tests.export.catalogue import apart, batch_of, is_unbatched, run_as_the_networks, text, together

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported

# Whose sizes, weights or state depend on the batch size.
FIXED = (
    'einsum("abc,abc->ab"', "fc(4, softmax)", "clahe", "multi_head_attention(2, causal=True, cache",
    "convolve_with(stride=2, padding=1, transposed",
)  # fmt: skip


def is_fixed(case: Case) -> bool:
    return text(case).startswith((*FIXED, "multiply"))


@pytest.mark.slow
@pytest.mark.parametrize("cases", together(is_fixed, "CASES")[::3])
def test_runs_as_the_network(cases: list[Case]):
    """At one batch size, another than the example's; `test_to_savedmodel.py` runs three.

    The other groups and the options are left to LiteRT, which is converted from the same program.
    """
    run_as_the_networks(cases, functools.partial(to_savedmodel, platforms=("cpu",)), 5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("case", apart(is_fixed))
def test_of_a_fixed_batch_size(case: Case):
    subject = Subject(case)
    given = case.layer, subject.params, subject.state, subject.inputs
    write = functools.partial(to_savedmodel, *given, platforms=("cpu",))
    if is_unbatched(case) or text(case).startswith(FIXED):
        with pytest.raises(ExportError, match="shape" if is_unbatched(case) else "for these sizes"):
            write()
        if is_unbatched(case):
            return
        write = functools.partial(write, batch=batch_of(subject))
    report = write().report
    assert report is not None and report.largest < 5e-6, report
