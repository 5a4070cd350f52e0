"""Operations without a rule, lowered by those that torch decomposes them into."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compose import port
from compose.core.errors import PortError
from tests.port.frontends.torch.rules.single_operations import verified

ALIASES = {
    "multiply": lambda x: torch.multiply(x, x),
    "subtract": lambda x: torch.subtract(x, 2 * x, alpha=3),
    "absolute": torch.absolute,
    "clip": lambda x: torch.clip(x, -0.5, 0.5),
    "concat": lambda x: torch.concat([x, 2 * x], -1),
    "narrow": lambda x: x.narrow(2, 1, 3),
    "rot90": lambda x: torch.rot90(x, 1, (1, 2)),
}
COMPOSITE = {
    "mse": lambda x: F.mse_loss(x, 2 * x, reduction="none"),
    "cross entropy": lambda x: F.cross_entropy(x.mean(1), x.argmax(-1)[:, 0], reduction="none"),
    "addcdiv": lambda x: torch.addcdiv(x, x, 1 + x**2, value=0.5),
    "baddbmm": lambda x: torch.baddbmm(x[:, :, :3], x, x.mT),
    "lerp": lambda x: torch.lerp(x, x**2, 0.3),
    "logaddexp": lambda x: torch.logaddexp(x, 2 * x),
    "distances": lambda x: torch.cdist(x, 2 * x),
    "statistics of the batch": lambda x: F.layer_norm(x, (6,), 1 + x[0, 0], x[0, 1])[:1],
    "replication": lambda x: F.pad(x, (2, 1), mode="replicate"),
}


@pytest.mark.parametrize("name", ALIASES)
def test_another_name(name):
    verified(ALIASES[name])


@pytest.mark.parametrize("name", COMPOSITE)
def test_composite(name):
    verified(COMPOSITE[name])


class Joined(nn.Module):
    """What is joined with a constant and a buffer: no part may be dropped."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(6.0).reshape(1, 6))

    def forward(self, x):
        return torch.vstack([x[:1], self.table, torch.ones(2, 6)])


def test_constants_are_joined_with_values():
    ported = port.from_torch(Joined(), torch.randn(4, 6))
    assert ported.verify("gradients").ok


class MeanOfOnes(nn.Module):
    def forward(self, x):
        return x.sum(0) / torch.ones_like(x).sum(0)


def test_a_count_of_examples_is_refused():
    with pytest.raises(PortError, match="size of the batch"):
        port.from_torch(MeanOfOnes(), torch.randn(4, 6))


class BatchStatistics(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("var", torch.ones(6))

    def forward(self, x):
        return F.batch_norm(x, self.mean.clone(), self.var.clone(), training=True)


def test_statistics_of_each_batch_in_inference():
    with pytest.raises(PortError, match="batch norm with running statistics"):
        port.from_torch(BatchStatistics(), torch.randn(4, 6))


class Lengths(nn.Module):
    def forward(self, x):
        return F.normalize(x, dim=1).cumsum(1) / x.shape[1]


def test_lengths_that_a_decomposition_reads_are_kept_or_fixed():
    # The proof runs at another length too, which the network takes, or refuses by `ensure_shape`.
    ported = port.from_torch(Lengths(), torch.randn(4, 5, 6))
    assert ported.verify("gradients").ok


class First(nn.Module):
    def forward(self, x, y):
        return x.view_as(y)


def test_a_model_that_gives_one_of_its_inputs():
    ported = port.from_torch(First(), torch.randn(4, 6), torch.randn(4, 6))
    assert str(ported.net) == 'at("0")' and ported.verify("gradients").ok
