"""What models compute of parameters alone, and how it meets values: in parts, moved, expanded, repeated, unread."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from compose import port


class Attention(nn.Module):
    """Of a linear map and a table, by a function."""

    def __init__(self, fn, trained: bool = True):
        super().__init__()
        self.l, self.table = nn.Linear(8, 8), nn.Parameter(torch.randn(10, 8), requires_grad=trained)
        self.b, self.fn = nn.Parameter(torch.randn(8)), fn

    def forward(self, x):
        return self.fn(self, x)


def heads(x: torch.Tensor) -> torch.Tensor:
    return x.view(x.shape[0], x.shape[1], 2, 4).permute(0, 2, 1, 3)


def joined(x: torch.Tensor) -> torch.Tensor:
    """The heads of all examples on one axis."""
    return heads(x).reshape(-1, x.shape[1], 4)


def of_windows(m, x):
    """A mask for each of two windows of each example, beside a learned bias."""
    mask = torch.tensor([[0.0] * 5, [0, 0, -9, -9, 0]])[None].expand(len(x) // 2, -1, -1).reshape(-1, 1, 5)
    return torch.softmax(x @ x.mT + (m.table[None, :5, :5] + mask), -1) @ x


CASES = {
    "in parts": lambda m, x: (
        x * (m.table[:5] * 2).chunk(2, -1)[0].repeat(1, 2) + (m.table[5:] * 3).chunk(2, -1)[1].sum()
    ),
    "moved": lambda m, x: heads(m.l(x)) + m.b[None, None].view(1, 1, 2, 4).permute(0, 2, 1, 3),
    "expanded": lambda m, x: torch.cat([x @ x.mT, m.b[:5].reshape(1, 5, 1).expand(len(x), -1, 1)], -1),
    "expanded twice": lambda m, x: torch.cat([heads(x), m.b[:2].reshape(1, 2, 1, 1).expand(len(x), 2, 5, 1)], -1),
    "repeated": lambda m, x: torch.bmm(joined(m.l(x)), joined(m.l(m.table[None])).repeat(len(x), 1, 1).mT),
    "repeated by heads": lambda m, x: torch.bmm(
        joined(x), joined(m.l(m.table[None])).repeat(joined(x).shape[0] // 2, 1, 1).mT
    ),
    "repeated twice": lambda m, x: torch.tanh(m.table).repeat(len(x) * 2, 1).view(len(x), 20, 8)[:, ::4] * x,
    "read in two parts": lambda m, x: x + torch.cat([m.table[:4].tanh(), m.table[4:]])[[0, 9, 4, 3, 3]],
    "one row twice": lambda m, x: x * m.table[torch.zeros(5, dtype=int)] + m.table[torch.zeros(5, dtype=int)],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("trained", [True, False])
def test_equal(name, trained):
    torch.manual_seed(0)
    ported = port.from_torch(Attention(CASES[name], trained).eval(), torch.randn(3, 5, 8))
    assert ported.verify("gradients").ok


def test_a_mask_of_each_window_beside_a_bias():
    torch.manual_seed(0)
    ported = port.from_torch(Attention(of_windows).eval(), torch.randn(4, 5, 8), fixed_batch=True)
    assert ported.verify("gradients").ok


class Standardized(nn.Conv2d):
    """A convolution of a kernel that has mean 0 and variance 1 (Kolesnikov et al., 2020)."""

    def forward(self, x):
        rows = self.weight.reshape(1, self.out_channels, -1)
        kernel = nn.functional.batch_norm(rows, None, None, training=True, momentum=0.0, eps=1e-6)
        return nn.functional.conv2d(x, kernel.reshape_as(self.weight), self.bias, padding=self.padding)


@pytest.mark.slow
def test_a_standardized_kernel():
    torch.manual_seed(0)
    model = nn.Sequential(Standardized(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3)).eval()
    assert port.from_torch(model, torch.randn(2, 3, 6, 7)).verify("step").ok


LAYERS = {
    "conv": (lambda: nn.Conv1d(4, 6, 3, groups=2, padding=1), (2, 4, 9), (0, 1, 2, None)),
    "fc": (lambda: nn.Linear(4, 6), (2, 4), (0, 1, None)),
    "transposed": (lambda: nn.ConvTranspose1d(4, 6, 4, stride=2), (2, 4, 9), (0, 1, 2, None)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "axis"), [(name, axis) for name, (*_, axes) in LAYERS.items() for axis in axes])
def test_weight_norm_by_any_axis(name, axis):
    make, shape, _ = LAYERS[name]
    torch.manual_seed(0)
    ported = port.from_torch(nn.Sequential(weight_norm(make(), dim=axis), nn.GELU()).eval(), torch.randn(shape))
    assert ported.verify("step").ok
    assert ("weight_norm(" in str(ported.net)) == (axis == 0 and name != "transposed")
