"""A length is fixed where a layer that is recognized would take another and the rest of the network would not."""

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
