"""Attention of torch written by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port


class ByHand(nn.Module):
    """As it is written by hand, over images: nothing of torch's attention in it."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Conv2d(4, 12, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(x).reshape(b, 3, 2, c // 2, h * w).unbind(1)
        weights = ((q.transpose(-2, -1) @ k) * (c // 2) ** -0.5).softmax(-1)
        return x + self.out((v @ weights.transpose(-2, -1)).reshape(b, c, h, w))


@pytest.mark.slow
def test_twenty_equal_steps():
    torch.manual_seed(0)
    assert port.from_torch(ByHand(), torch.randn(2, 4, 3, 5)).verify("steps").ok
