"""Which inputs are images, whose channels come last in the network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port


class First(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn, self.conv = fn, nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(self.fn(x))


CASES = {
    "pad": lambda x: nn.functional.pad(x, (2, 2, 2, 2), mode="reflect"),
    "channels the other way": lambda x: x[:, [2, 1, 0]],
    "flip": lambda x: x.flip(1),
    "crop": lambda x: x[:, :, 1:-1, 1:-1],
    "roll": lambda x: x.roll(1, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_an_image_that_something_else_reads_first(name):
    torch.manual_seed(0)
    ported = port.from_torch(First(CASES[name]), torch.randn(2, 3, 9, 8))
    assert ported.inputs[0].shape == (2, 9, 8, 3) and ported.verify().ok
