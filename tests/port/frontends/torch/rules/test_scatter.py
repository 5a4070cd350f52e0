"""Elements read from and written to places that are values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.torch.rules.single_operations import verified

FIXED = torch.tensor([2, 0, 2])
OPERATIONS = {
    "gather": lambda x: x.gather(2, x.argsort(-1)[..., :2]),
    "index in one axis": lambda x: x[:, :, x.argmax(-1)[0]],
    "index in two axes": lambda x: x[:, torch.tensor([0, 2]), torch.tensor([5, 1])],
    "index_select": lambda x: x.index_select(2, x.argmax(-1)[0]),
    "scatter": lambda x: torch.zeros_like(x).scatter(2, x.argsort(-1)[..., :2], x[..., :2]),
    "scatter_add": lambda x: x.scatter_add(2, x.argmax(-1, keepdim=True), x[..., :1]),
    "the largest that is scattered": lambda x: x.scatter_reduce(2, x.argsort(-1)[..., :2], x[..., :2] + 1, "amax"),
    "the mean of what is scattered": lambda x: x.scatter_reduce(2, x.argsort(-1), x**2, "mean", include_self=False),
    "index_add": lambda x: x.index_add(1, FIXED, x**2),
    "the mean at places": lambda x: (
        x.index_reduce(1, FIXED, x**2, "mean") + x.index_reduce(1, FIXED, x**2, "mean", include_self=False)
    ),
    "a number at places": lambda x: x.index_fill(2, torch.tensor([4, 1]), 0.5),
    "index_copy": lambda x: x.index_copy(2, torch.tensor([4, 1]), x[..., :2]),
    "masked_scatter": lambda x: x[0].masked_scatter(x[0] > 0, x[1]) + x[:1],
    "unfold": lambda x: x.unfold(2, 3, 2),
    "the largest so far": lambda x: x.cummax(-1).values + x.cummin(1).values,
    "the median": lambda x: x.median(-1).values + x.kthvalue(2, 2).values,
    "the median of numbers": lambda x: x.where(x < 0.5, torch.nan).nanmedian(-1, keepdim=True).values * x,
    "a running sum of exponentials": lambda x: x.logcumsumexp(1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name):
    verified(OPERATIONS[name])


class Written(nn.Module):
    """Places that are an input, one of them twice: torch gives both values the gradient of the place."""

    def forward(self, x, places, values):
        return x.index_put((places,), values) + x.index_put((places,), values, accumulate=True)


def test_places_that_are_inputs():
    ported = port.from_torch(Written(), torch.randn(5, 3), torch.tensor([4, 1, 4]), torch.randn(3, 3))
    assert ported.verify("gradients").ok


class Numbered(nn.Module):
    """What torch takes for a batch is no batch: a diagonal over it, and steps as many as rows."""

    def forward(self, x, y):
        return x.diagonal_scatter(y) + torch.linspace(x.sum(), 1.5, len(x))[:, None]


def test_a_batch_that_is_none():
    x, y = torch.randn(4, 5), torch.randn(4)
    ported = port.from_torch(Numbered(), x, y, fixed_batch=True)
    assert ported.verify("gradients").ok and "ensure_shape(4" in str(ported.net)
    image = port.from_torch(nn.Conv2d(3, 4, 2), torch.randn(3, 5, 6), fixed_batch=True)
    assert image.verify("gradients").ok
    with pytest.raises(PortError, match="adds the batch"):
        port.from_torch(nn.Conv2d(3, 4, 2), torch.randn(3, 5, 6))


class Unknown(nn.Module):
    def forward(self, x):
        return x[x > 0] * 2


def test_a_size_that_depends_on_numbers_is_refused():
    with pytest.raises(PortError, match="sizes do not depend"):
        port.from_torch(Unknown(), torch.randn(4, 3))
