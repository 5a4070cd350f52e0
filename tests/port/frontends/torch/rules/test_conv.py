"""Windows of images in torch, taken and put back."""

from __future__ import annotations

import pytest
import torch.nn.functional as F

from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "windows": lambda x: F.unfold(x[:, None].expand(-1, 2, -1, -1), (2, 3), padding=1, stride=(1, 2)),
    "windows laid back": lambda x: F.fold(F.unfold(x[:, None], 2, padding=1) ** 2, (3, 6), 2, padding=1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])
