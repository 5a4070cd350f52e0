"""Functions of each element of torch, and the slopes of its PReLU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "clamp": lambda x: x.clamp(-0.2, 0.3) + x.clamp(min=0.1) + x.clamp_max(0.2),
    "maximum": lambda x: torch.maximum(x, 2 * x) + torch.minimum(x, x * x),
    "clamp by values": lambda x: torch.clamp(x, min=-x.exp(), max=0.1 * x.square()),
    "clamp by a constant": lambda x: torch.clamp(x, max=torch.tensor([0.125, 0.25, 0.5, 0.125, 0.5, 1.0])),
    "powers": lambda x: 2**x + x.sigmoid() ** x + x.sigmoid() ** torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0, 2.0]),
    "sign": lambda x: x * torch.sign(x),
    "celu": lambda x: F.celu(x, 0.5),  # torch's gradient has 1 / alpha in float32
    "glu": lambda x: F.glu(x),
    "addcmul": lambda x: torch.addcmul(x, x, x.sigmoid(), value=0.5),
    "shrink": lambda x: F.hardshrink(x, 0.2) + F.softshrink(x, 0.1) + F.threshold(x, 0.1, 2.0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


@pytest.mark.parametrize("text, layer", [("prelu()", nn.PReLU()), ("prelu(axes=(-1,))", nn.PReLU(4))])
def test_slopes_of_channels(text, layer):
    torch.manual_seed(0)
    ported = port.from_torch(nn.Sequential(nn.Conv2d(3, 4, 1), layer), torch.randn(2, 3, 4, 6))
    assert ported.verify("gradients").ok
    assert text in str(ported.net)


class Powers(nn.Module):
    """Generalised-mean pooling, whose power is learned."""

    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.ones(1) * 3)

    def forward(self, x):
        return x.clamp(min=1e-6).pow(self.p).mean((2, 3)).pow(1 / self.p)


class Bounds(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.column = nn.Parameter(torch.zeros(6)), nn.Parameter(torch.ones(5))

    def forward(self, x):
        return torch.clamp(x, min=self.low) + self.column[:, None]


@pytest.mark.parametrize(
    "model,shape", [(Powers(), (4, 3, 8, 8)), (Bounds(), (3, 5, 6))], ids=lambda v: type(v).__name__
)
def test_powers_and_bounds_that_are_learned(model, shape):
    torch.manual_seed(0)
    assert port.from_torch(model, torch.rand(shape)).verify().ok


def test_a_column_of_weights():
    class Column(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.b = nn.Conv1d(3, 4, 3, bias=False), nn.Parameter(torch.randn(4))

        def forward(self, x):
            return (self.conv(x) + self.b[:, None]).transpose(1, 2)

    torch.manual_seed(0)
    assert port.from_torch(Column(), torch.randn(2, 3, 8)).verify().ok


def test_slopes_after_a_matrix():
    ported = port.from_torch(nn.Sequential(nn.Linear(3, 4), nn.PReLU(4)), torch.randn(5, 3))
    assert ported.verify("step").ok


def test_quotients_of_whole_numbers_are_exact():
    class Quotients(nn.Module):
        def forward(self, n):
            return torch.div(n, 7, rounding_mode="trunc"), torch.div(n, n.abs() + 1, rounding_mode="trunc"), n // 7

    n = torch.arange(-343, 343, 7)[:, None]
    ported = port.from_torch(Quotients(), n)
    assert ported.verify("outputs").ok
    for ours, theirs in zip(ported.net.apply(ported.params, ported.state, n.numpy())[0], Quotients()(n), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.int32
