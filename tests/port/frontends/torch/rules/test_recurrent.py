"""Recurrent layers and cells of torch that start from learned states, constants or zeros."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port


class Starts(nn.Module):
    """A recurrent layer whose first state is learned, or a constant."""

    def __init__(self, kind, layers=1, learned=True):
        super().__init__()
        self.r = kind(3, 4, layers, batch_first=True)
        state = torch.randn(layers, 1, 4)
        self.h = nn.Parameter(state) if learned else state

    def forward(self, x):
        h = self.h.expand(-1, len(x), -1).contiguous()
        return self.r(x, (h, 2 * h.detach() * 0) if isinstance(self.r, nn.LSTM) else h)[0]


class Steps(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.c, self.lstm = kind(3, 4), kind is nn.LSTMCell

    def forward(self, x):
        h = x.new_zeros(x.shape[0], 4)
        state = (h, h) if self.lstm else h
        for i in range(3):
            state = self.c(x[:, i], state)
        return state[0] if self.lstm else state


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_first_states(kind, learned, layers):
    torch.manual_seed(0)
    ported = port.from_torch(Starts(kind, layers, learned), torch.randn(4, 5, 3))
    assert ported.verify("step" if learned else "gradients").ok


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells_in_a_loop_start_from_zeros(kind):
    torch.manual_seed(0)
    assert port.from_torch(Steps(kind), torch.randn(4, 3, 3)).verify("gradients").ok
