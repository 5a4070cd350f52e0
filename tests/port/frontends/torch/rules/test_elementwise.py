"""Functions of each element of torch, and the slopes of its PReLU."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "clamp": lambda x: x.clamp(-0.2, 0.3) + x.clamp(min=0.1) + x.clamp_max(0.2),
    "maximum": lambda x: torch.maximum(x, 2 * x) + torch.minimum(x, x * x),
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


def test_slopes_after_a_matrix():
    ported = port.from_torch(nn.Sequential(nn.Linear(3, 4), nn.PReLU(4)), torch.randn(5, 3))
    assert ported.verify("step").ok
