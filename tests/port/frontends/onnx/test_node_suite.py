"""onnx's own tests of single operations: whatever ports computes what they say."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.onnx_nodes import cases, forms, outcome

# of an operation the tests, in each form, that port; in the others a reason is said
PORTED = {
    "Attention": 144, "AveragePool": 14, "BatchNormalization": 4, "Clip": 17, "Conv": 12, "ConvTranspose": 21,
    "CumSum": 7, "DFT": 8, "DepthToSpace": 2, "Expand": 2, "GRU": 5, "GatherND": 1, "Gemm": 22, "LSTM": 2,
    "LayerNormalization": 38, "LpNormalization": 6, "MaxPool": 16, "Pad": 3, "RNN": 5, "ReduceL1": 4, "ReduceMean": 4,
    "Resize": 21, "RotaryEmbedding": 16, "Scan": 5, "ScatterElements": 8, "Slice": 8, "Softmax": 7,
    "SoftmaxCrossEntropyLoss": 50, "SpaceToDepth": 4, "Split": 14, "TopK": 3, "Unsqueeze": 7, "Where": 2,
}  # fmt: skip


@pytest.mark.slow
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
