"""Places that a module computes on."""

from __future__ import annotations

import torch
from torch import nn

from compose import port
from tests.port.frontends.whole_numbers import KERNEL, X, places


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(KERNEL))

    def forward(self, x):
        h = x @ self.k
        made = places(
            h.argsort(1), torch.tensor, lambda i, n: i.clamp(min=n), lambda i, n: i.clamp(max=n), torch.clamp,
            torch.where,
        )  # fmt: skip
        return sum((n + 1) / 10 * h.gather(1, at) for n, at in enumerate(made))


def test_places_stay_whole_numbers():
    assert port.from_torch(Model(), torch.tensor(X)).verify("step").ok
