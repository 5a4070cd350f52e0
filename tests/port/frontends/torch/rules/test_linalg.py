"""Linear algebra of matrices that are values."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from tests.port.frontends.torch.rules.single_operations import verified


def _square(x):
    return x.mT @ x + torch.eye(6)


OPERATIONS = {
    "inverse": lambda x: torch.linalg.inv(_square(x)),
    "determinants": lambda x: torch.linalg.det(_square(x)) + torch.logdet(_square(x)),
    "cholesky": lambda x: torch.linalg.cholesky(_square(x)) + torch.linalg.cholesky(_square(x), upper=True),
    "solution": lambda x: torch.linalg.solve(_square(x), x.mT),
    "triangular": lambda x: torch.linalg.solve_triangular(_square(x).tril(), x.mT, upper=False),
    "parts": lambda x: x.triu(1) + x.tril(-1) + x.diagonal(0, 1, 2)[..., :1, None],
    "diagonal matrix": lambda x: torch.diag_embed(x, 1) + torch.diag_embed(x, -1),
    "exponential": lambda x: torch.matrix_exp(0.1 * _square(x)),
    "singular values": lambda x: torch.linalg.svdvals(x),
    "pairs of rows": lambda x: F.pdist(x[0]) + x[:1, :1, :1].sum(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


class Matched(nn.Module):
    """The convolution of one input with another, and its transpose."""

    def forward(self, x, kernel):
        y = F.conv2d(x, kernel, padding=1, stride=2)
        return F.conv_transpose2d(y, kernel, stride=2, padding=1)


def test_a_kernel_that_is_an_input():
    ported = port.from_torch(Matched(), torch.randn(2, 3, 7, 7), torch.randn(4, 3, 3, 3))
    assert ported.verify("gradients").ok
