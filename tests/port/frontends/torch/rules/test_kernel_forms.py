"""Kernels of convolutions that are parts of parameters, or these in another shape or order of axes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.onnx.onnx_models import exported
from tests.port.levels import proofs


class Holder(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.k, self.large = nn.Parameter(torch.randn(4, 4, 3, 3)), nn.Parameter(torch.randn(8, 6, 3, 3))
        self.m, self.b, self.fn = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4, 2)), fn

    def forward(self, x):
        return self.fn(self, x)


CASES = {
    "turned": lambda m, x: F.conv2d(x, m.k.permute(1, 0, 2, 3)),
    "turned in space": lambda m, x: F.conv2d(x, m.k.transpose(2, 3)),
    "rows": lambda m, x: F.conv2d(x, m.k[:3]),
    "rows and columns": lambda m, x: F.conv2d(x, m.large[2:5, 1:5]),
    "a matrix": lambda m, x: F.conv2d(x, m.m[:, :, None, None]),
    "a matrix turned": lambda m, x: F.conv2d(x, m.m.t()[:, :, None, None]),
    "of each channel": lambda m, x: F.conv2d(x, m.m.view(4, 1, 2, 2), groups=4),
    "a sequence": lambda m, x: F.conv1d(x[..., 0], m.m[:, None, :3].expand(-1, 4, -1)),
    "twice": lambda m, x: F.conv2d(torch.tanh(F.conv2d(x, m.k)), m.k.permute(1, 0, 2, 3)),
    "there and back": lambda m, x: F.conv_transpose2d(F.conv2d(x, m.k), m.k),
    "transposed, turned": lambda m, x: F.conv_transpose2d(x, m.k.permute(1, 0, 2, 3)),
    "transposed, rows": lambda m, x: F.conv_transpose2d(x[:, :3], m.k[:3]),
    "transposed, rows in groups": lambda m, x: F.conv_transpose2d(x, m.large[1:5], groups=2),
    "statistics of parameters": lambda m, x: F.batch_norm(x, m.b[:, 0].detach(), m.b[:, 1].detach() ** 2 + 1, m.m[0]),
}


def holder(name: str) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return Holder(CASES[name]).eval(), torch.randn(2, 4, 6, 7)


@proofs(CASES, level="steps")
def test_equal(name, level):
    assert port.from_torch(*holder(name)).verify(level).ok


@pytest.mark.slow
@pytest.mark.parametrize("name", ["turned", "a matrix", "rows", "transposed, turned", "twice"])
def test_equal_to_an_onnx_file(name):
    assert port.from_onnx(exported(*holder(name))).verify("gradients").ok


def test_layers_have_them():
    assert str(port.from_torch(*holder("turned")).net) == 'conv(4, 3, padding="valid", bias=False)'
    assert str(port.from_torch(*holder("a matrix")).net) == "conv(4, 1, bias=False)"


def test_groups_that_are_turned_are_refused():
    model = Holder(lambda m, x: F.conv_transpose2d(x, m.k.transpose(2, 3), groups=2))
    with pytest.raises(PortError, match="in groups as it is stored"):
        port.from_torch(model, torch.randn(2, 4, 6, 7))
