"""Places of torch that are values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from compose.core.errors import PortError


class Gathers(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.l, self.fn = nn.Linear(6, 6), fn

    def forward(self, x, n):
        return self.fn(self.l(x), n)


CASES = {
    "last valid step": lambda h, n: h.gather(1, (n - 1).view(-1, 1, 1).expand(-1, 1, 6)).squeeze(1),
    "fewer features": lambda h, n: h.gather(1, (n - 1)[:, None, None].expand(-1, 2, 4)),
    "last axis": lambda h, n: h.gather(2, n[:, None, None].expand(-1, 5, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_gather(name):
    torch.manual_seed(0)
    ported = port.from_torch(Gathers(CASES[name]), torch.randn(4, 5, 6), torch.tensor([5, 3, 1, 4]))
    assert ported.verify().ok


def test_packed_sequences_are_refused():
    from torch.nn.utils.rnn import pack_padded_sequence

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.r = nn.GRU(3, 4, batch_first=True)

        def forward(self, x, n):
            return self.r(pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False))[1]

    with pytest.raises(PortError, match=r"got pack_padded_sequence.*lengths.*test_index\.py"):
        port.from_torch(Packed(), torch.randn(4, 5, 3), torch.tensor([5, 3, 1, 4]))
