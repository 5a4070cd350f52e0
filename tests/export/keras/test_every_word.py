"""Every case of every word as Keras source: run in float64, with the gradients of all parameters."""

from __future__ import annotations

import re

import pytest

from compose.export import to_keras
from compose.export.source import prove
from tests.cases.case import Case
from tests.export.catalogue import apart, refusal_of, run_as_the_networks, share_of, text, together

pytest.importorskip("keras")

# Words without a rule, or options that Keras has not.
REFUSED = (
    "batch_renorm", "choose(", "grid_sample", "multi_head_attention(2, value_size=3, gate",
    "cast(", "clahe", "equalize", "convolve_with", "index_update", "index_axes(axes=(0, 2))", "scatter_along_axis",
    "masked(", "auto_contrast", "learned_positions(7, cache", "multi_head_attention(2, causal=True, cache",
    "compose_seq(parallel(log_softmax, identity, identity, identity), ctc_loss",
    "compose_seq( parallel(log_softmax, identity, identity, identity), ctc_loss", "compose_seq(scale(by=5.0), digamma",
    "compose_seq(scale(by=5.0), polygamma", "lstm(4, projection", "max_unpool", "fold(",
    "conv(6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 3))",
    "conv_transpose(6, 3, stride=2, padding=1, groups", "fc(4, softmax)", "ops.var(axis=(0, 1), ddof=1",
)  # fmt: skip
# Whose inputs or weights have as many rows as the batch.
FIXED = ('einsum("abc,abc->ab"', "multiply", "index_axes")


def is_apart(case: Case) -> bool:
    return text(case).startswith((*REFUSED, *FIXED))


@pytest.mark.slow
@pytest.mark.parametrize("cases", together(is_apart, "CASES"))
def test_runs_as_the_network(cases: list[Case]):
    """At one batch size, another than the example's; `test_to_keras.py` runs several."""
    run_as_the_networks(cases, to_keras, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("cases", together(is_apart, "OPTIONS"))
def test_options_run_as_the_network(cases: list[Case], monkeypatch: pytest.MonkeyPatch):
    """Without the gradients, which are compared once for each word."""
    monkeypatch.setattr(prove, "_gradients", lambda *_: None)
    run_as_the_networks(cases, to_keras, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("case", apart(is_apart))
def test_refused_or_of_a_fixed_batch_size(case: Case):
    error = refusal_of(case, to_keras, REFUSED, "a layer that Keras source can say")
    if error is not None:
        shown = re.search(r"\n +layer +([\w.]+)", error)
        assert shown and shown.group(1) in text(case)


def test_nine_of_ten_cases_are_written():
    assert share_of(REFUSED) < 0.1
