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
    "by an upper factor": lambda x: torch.cholesky_solve(
        x.mT, torch.linalg.cholesky(_square(x), upper=True), upper=True
    ),
    "unknown on the left": lambda x: torch.linalg.solve_triangular(_square(x).triu(), x, upper=True, left=False),
    "triangles by pivots": lambda x: sum(p[..., :3] for p in torch.linalg.lu(_square(x) + 0.3 * x.sum((1, 2), True))),
    "solution by pivots": lambda x: torch.linalg.lu_solve(*torch.linalg.lu_factor(_square(x).roll(1, -1)), x.mT),
    "triangles unpacked": lambda x: (
        torch.lu_unpack(*torch.linalg.lu_factor(x))[1] + torch.lu_unpack(*torch.linalg.lu_factor(x))[2].sum(-1, True)
    ),
    "eigenvalues": lambda x: torch.linalg.eigvals(_square(x) + x.sum() * torch.eye(6).roll(1, 0)).abs(),
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
