"""Norms as functions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from compose import port
from tests.port.frontends.torch.rules.single_operations import Fn

RMS = {
    "without an epsilon": lambda x: F.rms_norm(x, (6,)),
    "torch's own": lambda x: torch.rms_norm(x, (6,), eps=None),
    "with an epsilon": lambda x: F.rms_norm(x, (6,), None, 1e-3),
    "with a scale": lambda x: F.rms_norm(x, [6], weight=torch.linspace(0.5, 1.5, 6)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", RMS)
def test_rms_norms_keep_the_epsilon_of_the_dtype_that_the_model_has(name, dtype):
    torch.manual_seed(0)
    small = lambda x: RMS[name](x.to(dtype) * 1e-4).to(dtype)  # so that the epsilon matters
    ported = port.from_torch(Fn(small).to(dtype), torch.randn(4, 3, 6, dtype=dtype))
    assert ported.verify("gradients").ok
    epsilon = 1e-3 if name == "with an epsilon" else torch.finfo(dtype).eps
    assert f"epsilon={epsilon}" in str(ported.net)
