"""Reductions, scans and positions of torch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.port.frontends.torch.rules.single_operations import verified

OPERATIONS = {
    "var": lambda x: x.var(-1),
    "var of all": lambda x: x - x.var(dim=(1, 2), unbiased=False, keepdim=True),
    "std": lambda x: x.std(dim=1, keepdim=True) * x,
    "max": lambda x: x.max(dim=1).values,
    "min": lambda x: x.min(-1)[0],
    "logsumexp": lambda x: x.logsumexp((1, 2)),
    "prod": lambda x: x.prod(1),
    "cumsum": lambda x: x.cumsum(1),
    "norm": lambda x: F.normalize(x, dim=-1),
    "smallest of all sizes": lambda x: torch.linalg.vector_norm(x, float("-inf"), dim=-1),
    "norm of order -2": lambda x: torch.linalg.vector_norm(x, -2, dim=1),
    "norm of order 0": lambda x: x[..., 0] * torch.linalg.vector_norm(x.relu(), 0, dim=-1),
    "norm of order 1": lambda x: torch.linalg.vector_norm(x, 1, dim=-1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


def test_positions():
    verified(lambda x: (x.argmax(-1), *x.max(1), x.argmin(1)), "outputs")
