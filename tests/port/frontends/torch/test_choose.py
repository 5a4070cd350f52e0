"""`torch.cond`, proven in both branches and against the modules themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compose import port
from compose.core.errors import PortError
from compose.port.frontends.torch.branching import plain_choices

X = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32))


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.k = nn.Linear(4, 4), nn.Linear(4, 4), nn.Parameter(torch.rand(4))


class Two(Layers):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: torch.tanh(self.a(x)) + self.k, lambda x: self.b(x), (x,))


class OfBatch(Layers):
    def forward(self, x):
        n = x.shape[0]
        first = lambda x: (torch.tanh(self.a(x)), x / n)
        a, b = torch.cond(x.sum() > 0, first, lambda x: (self.b(x) * n, torch.zeros_like(x)), (x,))
        return (a + b / n) * self.k


class Nested(Layers):
    def forward(self, x):
        inner = lambda x: torch.cond(x.max() > 1.0, lambda x: self.a(x), lambda x: x + self.k, (x,))
        return torch.cond(x.sum() > 0, inner, lambda x: self.b(x), (x,))


class Shared(Layers):
    def forward(self, x):
        h = self.a(x) + self.b(x) * self.k
        return torch.cond(h.sum() > 0, lambda h: torch.relu(self.a(h)), lambda h: self.a(h) * 2, (h,))


class Writes(Layers):
    def forward(self, x):
        def first(x):
            y = x * self.k
            y[:, :2].add_(1.0)
            return self.a(y)

        return torch.cond(x.sum() > 0, first, lambda x: self.b(x), (x,))


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.d, self.e = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 3)

    def forward(self, x):
        return self.e(torch.cond(x.mean() > 0, lambda x: torch.relu(self.c(x)), lambda x: self.d(x), (x,)))


@pytest.mark.slow
@pytest.mark.parametrize("cls", [Two, OfBatch, Nested, Shared, Writes, Images])
def test_both_ways_are_those_of_the_module(cls):
    model, example = cls().eval(), IMAGES if cls is Images else X
    ported = port.from_torch(model, example)
    assert any(row.check == "branches" for row in ported.verify("step").rows)
    assert "choose(" in ported.source
    ours = lambda x: x.detach().movedim(1, -1).numpy()
    for x in (example, -example, 3 * example, 0 * example, abs(example), example[:1] - 0.1):
        made = ported.net.apply(ported.params, ported.state, ours(x))[0]
        with plain_choices():
            np.testing.assert_allclose(made, ours(model(x)), rtol=1e-4, atol=1e-5)


def test_a_choice_by_the_size_of_the_batch_is_refused():
    class BySize(Layers):
        def forward(self, x):
            return torch.cond(x.shape[0] > 3, lambda x: self.a(x), lambda x: self.b(x), (x,))

    with pytest.raises(PortError, match=r"torch\.cond of a size"):
        port.from_torch(BySize(), X)


def test_python_s_choice_by_the_size_is_for_that_size_alone():
    class BySize(Layers):
        def forward(self, x):
            return self.a(x) if x.shape[0] > 3 else self.b(x)

    assert "ensure_shape(6" in str(port.from_torch(BySize(), X).net)
