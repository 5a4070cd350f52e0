"""Every case of every word as PyTorch source: run in float64, with the gradients of all parameters."""

from __future__ import annotations

import functools

import jax
import pytest

from compose.export import ExportError, proof, to_torch
from tests.cases.case import Case
from tests.cases.subject import Subject
from tests.export.catalogue import EVERY_CASE, other_batch, share_of, text

pytest.importorskip("torch")

# Whose inputs or weights have as many rows as the batch.
FIXED = ('einsum("abc,abc->ab"', "multiply", "fc(4, softmax)", "index_axes")
# Words without a rule, or options that torch has not.
REFUSED = (
    "batch_renorm", "choose(", "grid_sample", "multi_head_attention(2, value_size=3, gate",
    "cast(", "clahe", "convolve_with", "index_update", "conv_lstm", "recurrent(conv_lstm_cell", "masked(",
    "auto_contrast", "learned_positions(7, cache", "multi_head_attention(2, causal=True, cache",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", EVERY_CASE)
def test_runs_as_the_network(case: Case, monkeypatch: pytest.MonkeyPatch):
    """At one batch size, another than the example's; `test_to_torch.py` runs three."""
    monkeypatch.setattr(proof, "BATCHES", (other_batch(case),))
    subject = Subject(case)
    write = functools.partial(to_torch, case.layer, subject.params, subject.state, subject.inputs)
    if text(case).startswith(REFUSED):
        with pytest.raises(ExportError, match="a layer that PyTorch source can say") as caught:
            write()
        assert case.layer.kind in str(caught.value)
        return
    if text(case) == "multiply" and any(isinstance(i, tuple) and len(i) == 1 for i in case.inputs):
        with pytest.raises(ValueError, match="shape"):  # an input without a batch axis
            write()
        return
    batch = jax.tree.leaves(subject.inputs)[0].shape[0] if text(case).startswith(FIXED) else None
    report = write(batch=batch).report
    assert report is not None and report.largest < 1e-10, report


def test_nine_of_ten_cases_are_written():
    assert share_of(REFUSED) < 0.1
