"""Every case of every word as a SavedModel, run by TensorFlow."""

from __future__ import annotations

import functools

import jax
import pytest

from compose.export import ExportError, proof, to_savedmodel
from tests.cases.case import Case
from tests.cases.subject import Subject
from tests.export.catalogue import EVERY_CASE, text

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported

# Whose sizes, weights or state depend on the batch size.
FIXED = (
    'einsum("abc,abc->ab"', "fc(4, softmax)", "clahe", "multi_head_attention(2, causal=True, cache",
    "convolve_with(stride=2, padding=1, transposed",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", EVERY_CASE)
def test_runs_as_the_network(case: Case, monkeypatch: pytest.MonkeyPatch):
    """At one batch size, another than the example's; `test_to_savedmodel.py` runs three."""
    monkeypatch.setattr(proof, "BATCHES", (5,))
    subject = Subject(case)
    write = functools.partial(
        to_savedmodel, case.layer, subject.params, subject.state, subject.inputs, platforms=("cpu",)
    )
    if text(case) == "multiply" and any(isinstance(i, tuple) and len(i) == 1 for i in case.inputs):
        with pytest.raises(ExportError, match="shape"):  # an input without a batch axis
            write()
        return
    if text(case).startswith(FIXED):
        with pytest.raises(ExportError, match="for these sizes"):
            write()
        write = functools.partial(write, batch=jax.tree.leaves(subject.inputs)[0].shape[0])
    report = write().report
    assert report is not None and report.largest < 5e-6, report
