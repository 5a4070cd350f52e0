"""onnx's own tests of single operations: whatever ports computes what they say."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.onnx_nodes import cases, forms, outcome

# of an operation the tests, in each form, that port; in the others a reason is said
PORTED = {
    "Attention": 19, "AveragePool": 14, "BatchNormalization": 2, "Clip": 9, "Conv": 6, "ConvTranspose": 11, "CumSum": 5,
    "DepthToSpace": 2, "Expand": 1, "GRU": 5, "Gemm": 4, "LSTM": 2, "LpNormalization": 6, "MaxPool": 16, "Pad": 3,
    "RNN": 5, "ReduceL1": 4, "ReduceMean": 4, "Resize": 21, "Slice": 7, "Softmax": 7, "SpaceToDepth": 4, "Split": 14,
    "TopK": 2, "Unsqueeze": 7, "Where": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", PORTED)
def test_what_ports_is_equal(name):
    counts, wrong = Counter(), []
    for case in cases(name):
        for form, model in forms(case):
            kind, said = outcome(case, model)
            counts[kind] += 1
            if kind in ("unequal", "failed"):
                wrong.append(f"{case.name} ({form}): {said}")
    assert not wrong
    assert counts["equal"] >= PORTED[name]
