"""A model is as it was after a port: its hooks, what its functions keep, and what a trace computes with."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from compose import port

SEEN: list[torch.Tensor] = []


class Collects(nn.Module):
    """Adds hooks in its first pass, that collect what its layers give, as transformers does for hidden states."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
        self.hooked, self.kept = False, []

    def forward(self, x):
        if not self.hooked:
            for layer in self.layers:
                layer.register_forward_hook(lambda module, args, output: SEEN.append(output))
            self.hooked = True
        SEEN.clear()
        self.layers(x)
        self.kept = [torch.stack(SEEN, 1)]
        return self.kept[0]


@functools.lru_cache(maxsize=4)
def positions(n: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.arange(n, dtype=dtype) / 3


class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 4)

    @staticmethod
    @functools.lru_cache(maxsize=4)
    def places(n: int) -> torch.Tensor:
        return torch.arange(n).flip(0)

    def forward(self, x):
        return self.l(x)[:, self.places(x.shape[1])] + positions(x.shape[1], torch.float32)[:, None]


@pytest.mark.parametrize("make", [Collects, Keeps])
@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_a_model_gives_the_same_after_a_port(make, used):
    torch.manual_seed(0)
    model, x = make().eval(), torch.randn(2, 5, 4)
    expected = make().eval()
    expected.load_state_dict(model.state_dict())
    positions.cache_clear()
    if used:
        model(x)
    kept = positions(5, torch.float32) if used else None
    ported = port.from_torch(model, x)
    assert ported.verify("gradients").ok
    for given in (x, torch.randn(2, 3, 4)):  # the port looked at other lengths, too
        theirs = model(given)
        assert type(theirs) is torch.Tensor and theirs.dtype == torch.float32
        torch.testing.assert_close(theirs, expected(given))
    if used and make is Keeps:
        assert positions(5, torch.float32) is kept  # nothing that was kept is lost
    y, _ = ported.net.apply(ported.params, ported.state, x.numpy())
    np.testing.assert_allclose(y, model(x).detach().numpy(), atol=1e-5)


def test_numbers_that_a_model_makes_in_float32_are_exact_in_a_proof():
    class Scaled(nn.Module):
        def forward(self, x):
            return x / torch.sqrt(torch.tensor(24, dtype=torch.float32)) * x.exp()

    report = port.from_torch(Scaled(), torch.randn(2, 3)).verify("gradients")
    assert all(row.error < 1e-14 for row in report.rows if row.check != "witness")
