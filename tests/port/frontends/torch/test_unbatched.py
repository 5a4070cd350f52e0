"""Inputs without the batch's axis, which torch takes in convolutions, pools and attention, are refused by name."""

from __future__ import annotations

import numpy as np
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
]


@pytest.mark.parametrize("module,shape,text", CASES, ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "")
def test_refused(module, shape, text):
    with pytest.raises(PortError, match=text):
        port.from_torch(module, torch.randn(shape))


@pytest.mark.parametrize("module,expected", [(nn.Softmax(0), 1.0), (nn.LogSoftmax(-1), 0.0), (nn.Softmin(0), 1.0)])
def test_one_number_is_an_axis_of_length_one(module, expected):
    network = port.from_torch(module, torch.tensor(0.3)).net
    assert float(network.apply({}, {}, np.float32(2.0))[0]) == expected
