"""What torch makes of NaN and infinities, where other frameworks differ."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch
from torch import nn

from compose import port

NAN, INF = float("nan"), float("inf")
BINS = torch.tensor([-1.0, 0.25, 1.0], dtype=torch.float64)
FUNCTIONS = {
    "sign": torch.sign,
    "sgn": torch.sgn,
    "median": lambda x: x.median(-1),
    "median along another axis": lambda x: x.median(1, keepdim=True),
    "nanmedian": lambda x: x.nanmedian(-1),
    "k-th": lambda x: x.kthvalue(2, -1),
    "largest": lambda x: x.topk(2),
    "smallest": lambda x: x.topk(2, largest=False),
    "smallest along another axis": lambda x: x.topk(2, 1, largest=False),
    "sorted": lambda x: (x.sort(-1), x.sort(-1, descending=True)),
    "bins": lambda x: (torch.bucketize(x, BINS), torch.bucketize(x, BINS, right=True)),
    "places": lambda x: (torch.searchsorted(BINS, x), torch.searchsorted(BINS, x, side="right")),
    "a step": lambda x: torch.heaviside(x, torch.tensor(0.5, dtype=x.dtype)),
    "reduced": lambda x: (x.amax(-1), x.max(-1), x.argmin(1), x.logsumexp(-1), x.any(-1)),
    "clamped": lambda x: (x.clamp(-1, 1), x.clamp(min=0), torch.maximum(x, 2 * x), torch.fmax(x, x.abs())),
    "activations": lambda x: (
        x.relu(),
        nn.functional.relu6(x),
        nn.functional.hardswish(x),
        nn.functional.hardshrink(x),
    ),
}


class Function(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name):
    torch.manual_seed(0)
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    ported = port.from_torch(Function(FUNCTIONS[name]), x, channels_first=True)
    x[0, 1, 2], x[2, 0, 0], x[3, 2, 1] = NAN, INF, -INF
    theirs = [y.numpy() for y in jax.tree.leaves(jax.tree.map(lambda y: y, _tuples(FUNCTIONS[name](x))))]
    with jax.enable_x64(True):
        ours = jax.tree.leaves(ported.net.apply(ported.params, ported.state, x.numpy())[0])
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def _tuples(y):
    """Named tuples of torch as plain ones."""
    return tuple(map(_tuples, y)) if isinstance(y, tuple) else y
