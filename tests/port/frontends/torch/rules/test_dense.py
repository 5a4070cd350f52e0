"""Products of matrices and einsum of torch, with values and with parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "matmul": lambda x: x @ x.transpose(-2, -1),
    "bmm": lambda x: torch.bmm(x, x.mT),
    "einsum": lambda x: torch.einsum("bqd,bkd->bqk", x, x),
    "einsum of three": lambda x: torch.einsum("bqd,bkd,bkv->bqv", x, x, x),
    "einsum, the result left out": lambda x: torch.einsum("...qd,...kd", x, x),
    "outer product": lambda x: torch.einsum("bi,bj->bij", x[:, 0], x[:, 1]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


class Mixed(nn.Module):
    """Matrices that are parameters, on either side."""

    def __init__(self):
        super().__init__()
        self.right, self.left = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.randn(2, 3))
        self.heads, self.down = nn.Parameter(torch.randn(4, 3, 2)), nn.Parameter(torch.randn(6, 4))

    def forward(self, x):
        y = self.left @ (x @ self.right)
        return torch.einsum("btd,dhk->bhtk", y, self.heads), y @ self.down.T


def test_parameters_on_either_side():
    torch.manual_seed(0)
    assert port.from_torch(Mixed(), torch.randn(4, 3, 5)).verify("steps").ok
