"""One weight that operations read in forms that no one layer has: it is a `parameter`, which all of them read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compose import port

OFFSETS = (torch.arange(4)[:, None] - torch.arange(4)[None]).abs()
X = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))


class Weights(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))
        self.fn = forward

    def forward(self, x):
        return self.fn(x, self.w, self.b)


CASES = {
    "a choice and a product": lambda x, w, b: torch.where(x[:, None] > 0, w, 0.0).sum(-1) + x @ w + b,
    "both sides": lambda x, w, b: x @ w + x @ w.T * b,
    "a scale and a bias": lambda x, w, b: (x * b + b) @ w,
    "a norm": lambda x, w, b: x @ w / w.norm() + b,
    "a layer and a sum": lambda x, w, b: nn.functional.linear(x, w, b) * w.sum(),
    "a table and a product": lambda x, w, b: nn.functional.embedding(x.argmax(-1), w) @ w + x * b,
    "a norm's scale": lambda x, w, b: nn.functional.group_norm(x[:, :, None] * w[0, 0], 2, b.exp(), b)[..., 0] @ w,
    "a complex number": lambda x, w, b: (torch.fft.rfft(x) * torch.complex(w[:3, 0], w[:3, 1])).abs() @ w[:3] * b,
    "offsets": lambda x, w, b: (x[:, None] * b[OFFSETS]).sum(-1) @ w * w[0, OFFSETS[0]],
    "distances": lambda x, w, b: torch.cdist(x, w) @ w * b,
    "two ways": lambda x, w, b: torch.cond(x.sum() > 0, lambda x: x @ w + b, lambda x: x * w.sum(0), (x,)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_it_learns_as_one(name):
    torch.manual_seed(0)
    ported = port.from_torch(Weights(CASES[name]).eval(), X)
    assert ported.verify("step").ok
    assert sorted(record.view.source for record in ported.weights if record.view.source) == ["b", "w"]
