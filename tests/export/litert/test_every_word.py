"""The cases of the catalogue as LiteRT, run by its interpreter; of those that it has not, every twelfth is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from compose.export import ExportError, to_litert
from tests.cases.case import Case
from tests.cases.subject import Subject
from tests.export.catalogue import apart, batch_of, is_unbatched, run_as_the_networks, text, together

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow warns as it is imported

# What LiteRT has not: sorting, searching, scattering, some Fourier transforms.
REFUSED = (
    "sparsemax", "ops.sort", "ops.argsort", 'compose_seq(ops.top_k(k=2), at("0"))', "bucketize", "integer_lookup",
    "equalize", "clahe", 'index_update(mode="add")', "scatter_along_axis(axis=2, mode=",
    'stft_spectrogram(mode="angle"', 'stft_spectrogram(mode="psd"', 'stft_spectrogram( mode="psd"',
    "ops.flip(axis=(0, 2))",
    "local_response_norm(4, alpha=0.1, beta=0.5, k=2.0) on 5 axes", "lp_pool(4.0) on 5 axes",
)  # fmt: skip
# What it has for a fixed batch size alone.
FIXED = (
    'compose_seq(ops.top_k(k=2), at("1"))', "ops.take_along_axis", "ops.argmax", "ops.argmin",
    "mixture(4, fc(3, tanh), top", "fold((6, 5), (2, 3)",
    "stft_spectrogram", "mel_spectrogram", "max_unpool", "max_pool() on 5 axes", "max_pool_indices() on 5 axes",
    "compose_seq(parallel(log_softmax, identity, identity, identity), ctc_loss",
    "compose_seq( parallel(log_softmax, identity, identity, identity), ctc_loss", "pad(((-1, 2), (0, -2)))",
    "conv_lstm(2, (1, 3, 3)", 'resize(3, method="nearest")', 'resize(7, method="nearest")',
    'resize(10, method="nearest") on 4', 'resize(3, method="nearest", coordinates="asymmetric"',
    'resize(7, method="nearest", coordinates="asymmetric"',
    'resize(10, method="nearest", coordinates="asymmetric") on 4',
    'resize(10, method="nearest", coordinates="asymmetric") on 5', "upsample(factor=1.7)", "upsample(factor=0.6)",
    "grid_sample", 'at("0, 1:")',
    "multi_head_attention(2, causal=True, cache", "convolve_with(stride=2, padding=1, transposed",
    "fc(4, softmax)", 'einsum("abc,abc->ab")',
)  # fmt: skip


def label(case: Case) -> str:
    """A case's layer, and the number of axes of its first input."""
    first = case.inputs[0]
    return f"{text(case)} on {len(first) if isinstance(first, tuple) else np.ndim(first)} axes"


def is_refused_or_fixed(case: Case) -> bool:
    return label(case).startswith((*REFUSED, *FIXED)) or text(case) == "multiply"


@pytest.mark.slow
@pytest.mark.parametrize("cases", together(is_refused_or_fixed))
def test_runs_as_the_network(cases: list[Case]):
    """At one batch size, another than the example's; `test_to_litert.py` runs three."""
    run_as_the_networks(cases, to_litert, 5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("case", apart(is_refused_or_fixed)[::12])  # the converter takes seconds for each
def test_refused_or_of_a_fixed_batch_size(case: Case):
    subject = Subject(case)
    write = functools.partial(to_litert, case.layer, subject.params, subject.state, subject.inputs)
    if is_unbatched(case):
        with pytest.raises(ExportError, match="shape"):
            write()
        return
    if label(case).startswith((*REFUSED, *FIXED)):
        with pytest.raises(ExportError) as caught:
            write()
        assert any(inner.kind in str(caught.value) for _, inner in case.layer.walk())
        write = functools.partial(write, batch=batch_of(subject))
    if label(case).startswith(REFUSED):
        with pytest.raises(ExportError):
            write()
        return
    report = write().report
    assert report is not None and report.largest < 5e-6, report


def test_nine_of_ten_cases_are_written_for_any_batch_size():
    labels = [label(param.values[0]) for param in apart(lambda case: True)]
    assert sum(name.startswith((*REFUSED, *FIXED)) for name in labels) < 0.13 * len(labels)
    assert sum(name.startswith(REFUSED) for name in labels) < 0.05 * len(labels)
