"""Every case of every word as Keras source: run in float64, with the gradients of all parameters."""

from __future__ import annotations

import functools

import jax
import pytest

from compose.export import ExportError, to_keras
from tests.cases.case import Case
from tests.cases.subject import Subject
from tests.export.catalogue import EVERY_CASE, text

pytest.importorskip("keras")

# Words without a rule, or options that Keras has not.
REFUSED = (
    "cast(", "clahe", "equalize", "convolve_with", "index_update", "index_axes(axes=(0, 2))", "masked(",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", EVERY_CASE)
def test_runs_as_the_network(case: Case):
    """At one batch size: the text knows none, and `test_to_keras.py` runs several."""
    subject = Subject(case)
    batch = jax.tree.leaves(subject.inputs)[0].shape[0]
    write = functools.partial(to_keras, case.layer, subject.params, subject.state, subject.inputs, batch=batch)
    if text(case).startswith(REFUSED):
        with pytest.raises(ExportError, match="a layer that Keras source can say") as caught:
            write()
        assert case.layer.kind in str(caught.value) or caught.value.path
        return
    report = write().report
    assert report is not None and report.largest < 1e-10, report


def test_nine_of_ten_cases_are_written():
    refused = [case for param in EVERY_CASE for case in param.values if text(case).startswith(REFUSED)]
    assert len(refused) < 0.1 * len(EVERY_CASE), f"{len(refused)} of {len(EVERY_CASE)}"
