"""Every case of every word, written as ONNX, checked, and run against the network at two batch sizes."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

from compose.export import ExportError, proof, to_onnx
from compose.export.onnx import has_float32
from tests.cases.case import Case
from tests.cases.subject import Subject, families
from tests.export.catalogue import EVERY_CASE, other_batch, text

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

# Whose inputs or weights have as many rows as the batch, or whose program JAX cannot trace for any batch.
FIXED = ("clahe", 'einsum("abc,abc->ab"', "multiply", "fc(4, softmax)", "fixed_batch")
# Whose output jumps between -pi and pi where the last bit decides.
JUMPS = ('stft_spectrogram(mode="angle"',)
STATEFUL = ("cache=5",)  # state that changes in inference
# Of operations that ONNX has not, or whose nodes are not written yet.
REFUSED = (
    "choose(",
    "convolve_with",
    "index_axes",
    "index_update",
    "compose_seq(scale(by=5.0), digamma",
    "compose_seq(scale(by=5.0), polygamma",
)


@pytest.mark.slow
@pytest.mark.parametrize("case", EVERY_CASE)
def test_runs_as_the_network(case: Case, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proof, "BATCHES", (other_batch(case),))
    subject = Subject(case)
    write = functools.partial(to_onnx, case.layer, subject.params, subject.state, subject.inputs)
    if text(case).startswith(REFUSED):
        with pytest.raises(ExportError, match="a layer that ONNX can say"):
            write()
    elif any(word in text(case) for word in STATEFUL):
        with pytest.raises(ExportError, match="state stays the same"):
            write()
    elif text(case).startswith(JUMPS):
        write(proof=False)
    elif text(case).startswith(FIXED) and any(isinstance(i, tuple) and len(i) == 1 for i in case.inputs):
        with pytest.raises(ValueError, match="shape"):  # an input without a batch axis
            write()
    elif text(case).startswith(FIXED):
        try:
            write()
        except ExportError as e:
            assert "batch" in str(e)
            write(batch=jax.tree.leaves(subject.inputs)[0].shape[0])
    else:
        report = write().report
        assert report is not None and report.largest < 2e-5, report


IN_DOUBLE = ("dense", "combinators", "activation", "join", "reduce", "shape", "embedding")


@pytest.mark.slow
@pytest.mark.parametrize("family", IN_DOUBLE)
def test_runs_in_float64(family: str):
    with jax.enable_x64(True):
        for case in families()[family]:
            if text(case).startswith((*FIXED, *REFUSED)):
                continue
            subject = Subject(case)
            export = to_onnx(case.layer, subject.params, subject.state, subject.inputs)
            report = export.report
            assert report is not None
            limit = 1e-10 if report.dtype == "float64" and not has_float32(export.model) else 1e-6
            assert report.largest < limit, f"{text(case)}: {report}"
            assert all(np.isfinite(row.mean) for row in report.rows)
