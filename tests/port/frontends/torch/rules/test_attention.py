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


class WithAddedKeys(nn.Module):
    """Attention to learned keys, or zeros, behind those of the input, time first."""

    def __init__(self, learned: bool, zero: bool, weights: bool = False):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, add_bias_kv=learned, add_zero_attn=zero).double()
        self.weights = weights

    def forward(self, q, k, v):
        y, weights = self.attention(q, k, v, need_weights=self.weights)
        return (y, weights) if self.weights else y


ADDED = [
    (True, True, False),
    pytest.param(True, False, False, marks=pytest.mark.slow),
    pytest.param(False, True, False, marks=pytest.mark.slow),
    pytest.param(True, True, True, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("learned, zero, weights", ADDED)
def test_added_keys_time_first(learned, zero, weights):
    torch.manual_seed(0)
    q, k, v = (torch.randn(6, 3, 8, dtype=torch.float64) for _ in range(3))
    assert port.from_torch(WithAddedKeys(learned, zero, weights), q, k, v).verify("gradients").ok
