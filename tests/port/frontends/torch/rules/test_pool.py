"""Windows of pooling that are longer than the space, which torch cuts off where `ceil_mode` is set."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port

LONGER = {
    "avg": (nn.AvgPool2d(320, ceil_mode=True), (2, 3, 2, 3), "global_avg_pool(keepdims=True)"),
    "one step": (nn.AvgPool2d(320, ceil_mode=True, count_include_pad=False), (2, 3, 1, 1), "global_avg_pool"),
    "as long along one axis": (nn.AvgPool2d((2, 9), ceil_mode=True), (2, 3, 2, 3), "global_avg_pool"),
    "max": (nn.MaxPool1d(7, stride=5, ceil_mode=True), (2, 3, 5), "global_max_pool(keepdims=True)"),
}


@pytest.mark.parametrize("name", LONGER)
def test_a_window_longer_than_the_space(name):
    layer, shape, said = LONGER[name]
    torch.manual_seed(0)
    ported = port.from_torch(nn.Sequential(nn.Tanh(), layer).eval(), torch.randn(shape))
    assert said in str(ported.net) and ported.verify("gradients").ok
