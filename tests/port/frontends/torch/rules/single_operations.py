"""A model of one function, for the tests of single operations."""

from __future__ import annotations

import torch
from torch import nn

from compose import port


class Fn(nn.Module):
    """A function after a linear layer, whose weights give gradients to compare."""

    def __init__(self, fn):
        super().__init__()
        self.first, self.fn = nn.Linear(6, 6), fn

    def forward(self, x):
        return self.fn(self.first(x))


def verified(fn, level: str = "gradients") -> port.Ported:
    """A port of the function on rows of three by six, equal to torch at the level."""
    torch.manual_seed(0)
    ported = port.from_torch(Fn(fn), torch.randn(4, 3, 6))
    assert ported.verify(level).ok
    return ported
