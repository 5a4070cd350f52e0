"""Windows of images in torch, taken and put back, and convolutions with `padding="same"`."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "windows": lambda x: F.unfold(x[:, None].expand(-1, 2, -1, -1), (2, 3), padding=1, stride=(1, 2)),
    "windows laid back": lambda x: F.fold(F.unfold(x[:, None], 2, padding=1) ** 2, (3, 6), 2, padding=1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


SAME = {
    "1d": (nn.Conv1d(4, 5, 3, padding="same"), (2, 4, 9)),
    "1d even": (nn.Conv1d(4, 5, 4, padding="same"), (2, 4, 9)),
    "2d even": (nn.Conv2d(2, 3, 2, padding="same"), (2, 2, 6, 7)),
    "2d of four": (nn.Conv2d(2, 3, 4, padding="same"), (2, 2, 8, 8)),
    "2d apart": (nn.Conv2d(2, 3, (1, 4), padding="same"), (2, 2, 6, 7)),
    "2d dilated": (nn.Conv2d(2, 3, (3, 4), padding="same", dilation=(2, 3)), (2, 2, 9, 9)),
    "3d": (nn.Conv3d(2, 3, 3, padding="same"), (2, 2, 5, 6, 7)),
    "3d even": (nn.Conv3d(2, 3, (2, 3, 4), padding="same", groups=1), (2, 2, 5, 6, 7)),
    "valid": (nn.Conv1d(4, 5, 3, padding="valid"), (2, 4, 9)),
}


@pytest.mark.parametrize("name", SAME)
def test_as_large_as_the_input(name):
    torch.manual_seed(0)
    module, shape = SAME[name]
    ported = port.from_torch(module, torch.randn(shape))
    assert ported.net.padding == ("valid" if name == "valid" else "same") and ported.verify().ok
