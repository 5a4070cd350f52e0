"""torchvision's classifiers as ONNX files: a residual network with its batch norm, and one of many activations."""

from __future__ import annotations

import pytest
import torch

from benchmarks.zoo import torchvision
from compose import port
from tests import zoo
from tests.port.frontends.onnx.onnx_models import DYNAMO, SCRIPT, exported, perturbed

zoo.needs("torchvision")
vision = torchvision()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "by", "keep"), [("resnet18", SCRIPT, True), ("mobilenet_v3_small", DYNAMO, False)])
def test_equal_outputs_without_a_graph(name, by, keep):
    torch.manual_seed(0)
    model = perturbed(getattr(vision.models, name)(num_classes=10))
    ported = port.from_onnx(exported(model, torch.randn(2, 3, 64, 64), by=by, keep=keep))
    assert ported.verify("outputs").ok
    assert "graph(" not in str(ported.net) and "permute" not in str(ported.net)
    assert ("batch_norm" in str(ported.net)) == keep
