"""Inputs without the batch's axis, which torch takes in convolutions, pools and attention, are refused by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from compose.core.errors import PortError

CASES = [
    (nn.MaxPool2d(2), (3, 6, 6), "batch, channels, height, width"),
    (nn.AvgPool2d(2), (3, 6, 6), "batch, channels, height, width"),
    (nn.AdaptiveAvgPool2d(3), (3, 5, 6), "batch, channels, height, width"),
    (nn.Conv2d(4, 5, 3), (4, 6, 6), "batch, channels, height, width"),
    (nn.Conv1d(4, 5, 3), (4, 6), "batch, channels, width"),
    (nn.ConvTranspose1d(4, 5, 3), (4, 6), "batch, channels, width"),
    (nn.MaxPool3d(2), (3, 4, 6, 6), "batch, channels, depth, height, width"),
    (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (3, 4), "batch, time, features"),
    (nn.Softmax(0), (), "a value with axes"),
]


@pytest.mark.parametrize("module,shape,text", CASES, ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "")
def test_refused(module, shape, text):
    with pytest.raises(PortError, match=text):
        port.from_torch(module, torch.randn(shape))
