"""Models that read the size of the batch as a number."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from compose.port.frontends.torch import numbered
from compose.port.lowering.values import BATCH


class LastStep(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell(3, 4)

    def forward(self, x):
        return self.cell(x)[0][-1]


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_steps_of_time_are_not_taken_for_a_batch(cell, monkeypatch):
    """The first axis, which would be the batch, is time; the exporter would go through thousands of steps."""
    sizes, export = [], numbered._export

    def recorded(model, call):
        sizes.append(len(call.tensors[0]))
        return export(model, call)

    monkeypatch.setattr(numbered, "_export", recorded)
    ported = port.from_torch(LastStep(cell), torch.randn(5, 2, 3))
    assert sizes and BATCH not in sizes
    assert ported.verify("gradients").ok
