"""Bags of ids of torch: the function and the module."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compose import port
from compose.core.errors import PortError

IDS = torch.tensor([[1, 0, 6, 2, 2], [0, 0, 0, 0, 0], [6, 6, 3, 0, 1]])


class Bag(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.table, self.options = nn.Parameter(torch.randn(7, 4)), options
        self.weights = nn.Linear(5, 5)

    def forward(self, ids, x=None):
        weights = None if x is None else self.weights(x)
        return F.embedding_bag(ids, self.table, per_sample_weights=weights, **self.options)


CASES = {
    "mean": (Bag(), "embedding_bag(7, 4)"),
    "max, padding from the end": (Bag(mode="max", padding_idx=-7), 'embedding_bag(7, 4, mode="max", padding=0)'),
    "sum, padding": (Bag(mode="sum", padding_idx=6), 'embedding_bag(7, 4, mode="sum", padding=6)'),
    "weighted": (Bag(mode="sum"), 'embedding_bag(7, 4, mode="sum")'),
    "module": (nn.EmbeddingBag(7, 4, padding_idx=0), "embedding_bag(7, 4, padding=0)"),
}


@pytest.mark.parametrize("name", CASES)
def test_bags_are_the_layer(name):
    torch.manual_seed(0)
    model, expected = CASES[name]
    ported = port.from_torch(model, IDS, *([torch.randn(3, 5)] if name == "weighted" else []))
    assert ported.verify("steps").ok
    assert expected in str(ported.net)


REFUSED = {
    "offsets": (lambda ids, table: F.embedding_bag(ids.flatten(), table, torch.arange(0, 15, 5)), "pad the bags"),
    "max_norm": (lambda ids, table: F.embedding_bag(ids, table, max_norm=1.0), "max_norm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_layer_is_refused(name):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(7, 4))

        def forward(self, ids):
            return REFUSED[name][0](ids, self.table)

    with pytest.raises(PortError, match=REFUSED[name][1]):
        port.from_torch(Model(), IDS)
