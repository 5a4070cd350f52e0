"""Every third of onnx's own tests of single operations: whatever ports computes what they say.

`benchmarks/onnx_nodes.py` runs them all.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from benchmarks.onnx_nodes import cases, forms, outcome

# of an operation the tests, in each form, that port; in the others a reason is said
PORTED = {
    "Attention": 56, "AveragePool": 5, "BatchNormalization": 2, "Clip": 6, "Conv": 4, "ConvTranspose": 7, "CumSum": 3,
    "DFT": 3, "DepthToSpace": 1, "Expand": 1, "GRU": 1, "GatherND": 1, "Gemm": 8, "LSTM": 1, "LayerNormalization": 14,
    "LpNormalization": 2, "MaxPool": 5, "Pad": 1, "RNN": 1, "ReduceL1": 2, "ReduceMean": 2, "Resize": 12,
    "RotaryEmbedding": 6, "Scan": 2, "ScatterElements": 6, "Slice": 3, "Softmax": 3, "SoftmaxCrossEntropyLoss": 17,
    "SpaceToDepth": 2, "Split": 5, "TopK": 1, "Unsqueeze": 3, "Where": 2,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", PORTED)
def test_what_ports_is_equal(name):
    counts, wrong = Counter(), []
    for case in islice(cases(name), None, None, 3):
        for form, model in forms(case):
            kind, said = outcome(case, model)
            counts[kind] += 1
            if kind in ("unequal", "failed"):
                wrong.append(f"{case.name} ({form}): {said}")
    assert not wrong
    assert counts["equal"] >= PORTED[name]
