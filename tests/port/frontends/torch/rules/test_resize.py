"""Resizing of images in torch, in each of its modes, and pixels that are rearranged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port

CASES = {
    "upsample()": nn.Upsample(scale_factor=2),
    'upsample(factor=1.5, coordinates="asymmetric")': nn.Upsample(scale_factor=1.5),
    'resize((5, 7), method="nearest", coordinates="asymmetric")': nn.Upsample(size=(5, 7)),
    "upsample(factor=1.5)": nn.Upsample(scale_factor=1.5, mode="nearest-exact"),
    'upsample(method="linear")': nn.Upsample(scale_factor=2, mode="bilinear"),
    'upsample(method="linear", coordinates="align_corners")': nn.UpsamplingBilinear2d(scale_factor=2),
    'resize((2, 3), method="torch_cubic")': nn.Upsample(size=(2, 3), mode="bicubic"),
    'upsample(factor=(2.0, 3.0), method="torch_cubic")': nn.Upsample(scale_factor=(2.0, 3.0), mode="bicubic"),
}


@pytest.mark.parametrize("name", CASES)
def test_equal_in_outputs_and_gradients(name):
    torch.manual_seed(0)
    ported = port.from_torch(nn.Sequential(nn.Conv2d(3, 4, 1), CASES[name]), torch.randn(2, 3, 4, 6))
    assert ported.verify("gradients").ok
    assert "".join(name.split()) in "".join(str(ported.net).split())


class Sampled(nn.Module):
    """Images at places that a layer moves."""

    def __init__(self, mode, padding, align, rank=2):
        super().__init__()
        self.how, self.move = {"mode": mode, "padding_mode": padding, "align_corners": align}, nn.Linear(rank, rank)

    def forward(self, x, grid):
        return nn.functional.grid_sample(x, self.move(grid), **self.how).relu()


@pytest.mark.parametrize(
    ("mode", "align", "padding"),
    [("bilinear", False, "zeros"), ("nearest", False, "border"), ("bicubic", True, "reflection")],
)
def test_images_at_places(mode, align, padding):
    torch.manual_seed(0)
    ported = port.from_torch(Sampled(mode, padding, align), torch.randn(2, 3, 4, 5), 1.5 * torch.randn(2, 3, 2, 2))
    assert ported.verify("gradients").ok and "grid_sample" in str(ported.net)


def test_volumes_at_places():
    torch.manual_seed(0)
    model = Sampled("bilinear", "border", True, 3)
    assert port.from_torch(model, torch.randn(2, 2, 4, 5, 3), torch.randn(2, 3, 2, 2, 3)).verify("gradients").ok


class Rearranged(nn.Module):
    """Channels shuffled by hand, then windows of two by two, as the grids of a MaxViT."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 5, 3)

    def forward(self, x):
        h = self.first(x)
        h = h.view(-1, 2, 3, 4, 6).transpose(1, 2).reshape(-1, 6, 4, 6)
        windows = h.view(-1, 6, 2, 2, 3, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 6, 4, 6)
        windows = windows * windows.softmax(2)
        h = windows.view(-1, 2, 3, 2, 2, 6).permute(0, 5, 1, 3, 2, 4).reshape(-1, 6, 4, 6)
        return self.last(h)


def test_images_are_rearranged_with_their_channels_last():
    torch.manual_seed(0)
    made = port.from_torch(Rearranged(), torch.randn(2, 3, 4, 6))
    assert made.verify("gradients").ok
    text = str(made.net)
    assert "channel_shuffle(2)" in text
    assert text.count("permute") == 2 and text.count("reshape") == 4
