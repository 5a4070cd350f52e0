"""Lengths are fixed where the network would take others and be wrong: of recognized layers, of sums that broadcast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from compose.core.errors import ShapeError


class Flat(nn.Module):
    """Attention, and a scale of all steps of all examples in a row, told apart again by their number."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(6, 6) for _ in range(4))
        self.scale = nn.Parameter(torch.rand(6))

    def forward(self, x):
        q, k, v = (m(x).view(x.shape[0], -1, 2, 3).transpose(1, 2) for m in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape[0], -1, 6)
        rows = self.o(y).reshape(-1, 6)
        return (rows * self.scale).cos().view(x.shape)


def test_a_recognized_layer_does_not_hide_a_fixed_length():
    torch.manual_seed(0)
    model = Flat()
    p = port.from_torch(model, torch.randn(2, 7, 6))
    assert "multi_head_attention(2" in str(p.net)
    assert p.verify("gradients").ok
    x = torch.randn(3, 14, 6)
    try:
        y, _ = p.net.apply(p.params, p.state, x.numpy())
    except ShapeError as e:
        assert "ensure_shape" in str(e)
    else:
        torch.testing.assert_close(torch.tensor(y.__array__()), model(x), rtol=1e-4, atol=1e-5)


class Wide(nn.Module):
    """A sum that broadcasts to the number of features."""

    def forward(self, x, y):
        return (y * y).log() + x * x


def test_a_sum_that_broadcasts_is_for_its_length():
    torch.manual_seed(0)
    p = port.from_torch(Wide(), torch.randn(4, 3), torch.randn(4, 1))
    assert p.verify("gradients").ok
    x, y = torch.randn(5, 1), torch.randn(5, 1)
    try:
        made = p.net.apply(p.params, p.state, (x.numpy(), y.numpy()))[0]
    except ShapeError as e:
        assert "ensure_shape" in str(e)
    else:
        torch.testing.assert_close(torch.tensor(made.__array__()), Wide()(x, y), rtol=1e-4, atol=1e-5)
