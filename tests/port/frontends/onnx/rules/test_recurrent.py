"""Recurrent layers and attention as torch's exporters write them, found again and trained as torch trains them."""

from __future__ import annotations

import pytest
import torch

from compose import port
from tests.port.frontends.onnx.onnx_models import DYNAMO, SCRIPT, distance_after_training, exported, perturbed
from tests.port.frontends.torch.torch_models import CASES

LSTM = 'compose_seq(lstm(6, recurrent_bias=True, name="cell"), at(":, -1"), fc(3, name="head"))'
FINAL = 'compose_seq( bidirectional(gru(6), name="cell"), branch(at(":, -1, :6"), at(":, 0, 6:"), join=concat), )'
ATTENTION = "residual(compose_seq(layer_norm(), multi_head_attention(2)))"
ENCODER = (
    "compose_seq( residual(multi_head_attention(2)), layer_norm(), "
    "residual(compose_seq(fc(16, relu), fc(8))), layer_norm(), )"
)
FOUND = [
    ("lstm", DYNAMO, LSTM),
    ("lstm", SCRIPT, LSTM),
    ("gru", SCRIPT, 'gru(6, name="cell")'),
    ("rnn", SCRIPT, 'rnn(6, recurrent_bias=True, name="cell")'),
    ("bidirectional", DYNAMO, 'bidirectional(lstm(6, recurrent_bias=True), name="cell")'),
    ("final states", DYNAMO, FINAL),
    ("attention", SCRIPT, ATTENTION),
    ("encoder", DYNAMO, ENCODER),
    ("decoder", DYNAMO, "multi_head_attention(2, causal=True)"),
]


@pytest.mark.parametrize(("name", "by", "said"), FOUND)
def test_equal_to_the_file_and_to_torch(name, by, said):
    torch.manual_seed(0)
    model, *inputs = CASES[name]()
    ported = port.from_onnx(exported(perturbed(model), *inputs, by=by))
    assert said in " ".join(str(ported.net).split())
    assert ported.verify("gradients").ok
    assert distance_after_training(ported, model, *inputs) < 1e-9
