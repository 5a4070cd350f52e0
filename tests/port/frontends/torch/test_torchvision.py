"""torchvision's modules that are kept whole, and two classifiers; `benchmarks/port_coverage.py` has all 80."""

from __future__ import annotations

import pytest
import torch

from benchmarks.zoo import torch_model, torchvision
from compose import port
from compose.core.errors import PortError
from tests import zoo

zoo.needs("torchvision")
vision = torchvision()


def swin():
    """Windows of 3 on an image of 7 by 8: padded, and shifted in every second block."""
    return vision.models.SwinTransformer([2, 2], 8, [2, 1], [2, 4], [3, 3], stochastic_depth_prob=0.2, num_classes=5)


def swin_v2():
    """Attention by cosine, with no bias on keys though the module keeps one."""
    own = vision.models.swin_transformer
    parts = {"block": own.SwinTransformerBlockV2, "downsample_layer": own.PatchMergingV2}
    return own.SwinTransformer([2, 2], 8, [2], [2], [3, 3], stochastic_depth_prob=0.2, num_classes=5, **parts)


def maxvit():
    return vision.models.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 4, 0.2, num_classes=5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "shape", "level"),
    [(swin, (2, 3, 14, 16), "step"), (swin_v2, (2, 3, 14, 16), "outputs"), (maxvit, (2, 3, 32, 32), "outputs")],
)
def test_attention_in_windows(make, shape, level):
    torch.manual_seed(0)
    ported = port.from_torch(make(), torch.randn(shape))
    assert ported.verify(level).ok
    text = str(ported.net)
    assert "graph(" not in text and "drop_path(0.2)" in text and ("window_attention" in text or "window_bias" in text)


def test_stochastic_depth_of_the_whole_batch_says_so():
    with pytest.raises(PortError, match="mode='row'"):
        port.from_torch(vision.ops.StochasticDepth(0.1, "batch"), torch.randn(2, 3))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_equal_gradients_of_a_whole_classifier(name):
    model, x = torch_model(name)
    ported = port.from_torch(model, x)
    assert "graph(" not in str(ported.net) and ported.verify("gradients").ok
