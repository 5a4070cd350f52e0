"""Every case of every word as PyTorch source: run in float64, with the gradients of all parameters."""

from __future__ import annotations

import pytest

from compose.export import to_torch
from tests.cases.case import Case
from tests.export.catalogue import apart, refusal_of, run_as_the_networks, share_of, text, together

pytest.importorskip("torch")

# Whose inputs or weights have as many rows as the batch.
FIXED = ('einsum("abc,abc->ab"', "multiply", "fc(4, softmax)", "index_axes")
# Words without a rule, or options that torch has not.
REFUSED = (
    "batch_renorm", "choose(", "grid_sample", "multi_head_attention(2, value_size=3, gate",
    "cast(", "clahe", "convolve_with", "index_update", "conv_lstm", "recurrent(conv_lstm_cell", "masked(",
    "auto_contrast", "learned_positions(7, cache", "multi_head_attention(2, causal=True, cache",
)  # fmt: skip


def is_apart(case: Case) -> bool:
    return text(case).startswith((*REFUSED, *FIXED))


@pytest.mark.slow
@pytest.mark.parametrize("cases", together(is_apart))
def test_runs_as_the_network(cases: list[Case]):
    """At one batch size, another than the example's; `test_to_torch.py` runs three."""
    run_as_the_networks(cases, to_torch, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("case", apart(is_apart))
def test_refused_or_of_a_fixed_batch_size(case: Case):
    error = refusal_of(case, to_torch, REFUSED, "a layer that PyTorch source can say")
    assert error is None or case.layer.kind in error


def test_nine_of_ten_cases_are_written():
    assert share_of(REFUSED) < 0.1
