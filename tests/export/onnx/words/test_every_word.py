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
from tests.export.catalogue import apart, batch_of, is_unbatched, other_batch, run_as_the_networks, text, together

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


def is_apart(case: Case) -> bool:
    return text(case).startswith((*FIXED, *JUMPS, *REFUSED)) or any(word in text(case) for word in STATEFUL)


@pytest.mark.slow
@pytest.mark.parametrize("cases", together(is_apart))
def test_runs_as_the_network(cases: list[Case]):
    run_as_the_networks(cases, to_onnx, 2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", apart(is_apart))
def test_refused_or_of_a_fixed_batch_size(case: Case, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proof, "BATCHES", (other_batch([case]),))
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
    elif is_unbatched(case):
        with pytest.raises(ValueError, match="shape"):
            write()
    else:
        try:
            write()
        except ExportError as e:
            assert "batch" in str(e)
            write(batch=batch_of(subject))


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
