"""A `torch.autograd.Function`, whose backward an exported graph does not hold."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from compose.core.errors import PortError


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return g


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))


class Model(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.inner, self.function = nn.Linear(4, 3), function

    def forward(self, x):
        return self.function(self.inner(x))


def ported(function):
    torch.manual_seed(0)
    return port.from_torch(Model(function), torch.randn(5, 4))


def test_one_that_is_no_derivative_is_named():
    assert ported(Rounded.apply).verify("outputs").ok
    with pytest.raises(PortError, match=r"Rounded at .*test_own_gradients.py:\d+ has a backward of its own"):
        ported(Rounded.apply).verify("gradients")
    assert ported(lambda x: x + (torch.round(x) - x).detach()).verify("gradients").ok


def test_a_derivative_written_out_is_proven():
    assert ported(Swish.apply).verify("gradients").ok
