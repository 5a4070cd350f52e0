"""Values beside constants and weights that are longer along an axis, whose length is that of the input or their own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compose import port
from tests.port.frontends.wide_operands import KERNEL, WIDE, X, operations

LIKE_THE_INPUT = {
    "as many": lambda x: torch.full_like(x, 0.7),
    "the first feature": lambda x: torch.ones_like(x[:, :, :1]),
    "ones": lambda x: torch.ones(x.shape[1], 1),
    "new": lambda x: x.new_ones(x.shape[1], 1),
}


class Model(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.k, self.fn = nn.Parameter(torch.tensor(KERNEL)), fn
        self.wide = nn.Parameter(torch.tensor(WIDE))

    def forward(self, x):
        return self.fn(self, x @ self.k) + 0 * self.wide.sum()


def proven(fn):
    p = port.from_torch(Model(fn), torch.tensor(X))
    assert p.verify("step").ok
    return p


def all_operations(x, wide):
    total = lambda part: part.sum(1)
    return operations(x.mean(1, keepdim=True), wide, total, torch.maximum, torch.minimum, torch.where)


def test_each_operation_repeats_the_value():
    proven(lambda model, x: all_operations(x, torch.full((4, 1), 0.7)))
    proven(lambda model, x: all_operations(x, model.wide))


@pytest.mark.parametrize("name", LIKE_THE_INPUT)
def test_the_length_of_the_input_is_fixed(name):
    p = proven(lambda model, x: all_operations(x, LIKE_THE_INPUT[name](x)))
    assert "ensure_shape(None, 4, None)" in str(p.net)


def test_the_length_of_a_constant_that_is_summed_is_fixed():
    p = proven(lambda model, x: x.mean(1) * torch.ones_like(x).sum(1))
    assert "ensure_shape(None, 4, None)" in str(p.net)


def test_repeated_where_the_batch_is_second():
    proven(lambda model, x: x.transpose(0, 1)[:1].expand(3, x.shape[0], 6).transpose(0, 1))
