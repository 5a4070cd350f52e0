"""Positions of a table are `learned_positions`, right for any length up to the table's, and whole in the weight map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compose import port


class Positions(nn.Module):
    """A table of positions that is added to a sequence, by one of the ways that models read it."""

    def __init__(self, read):
        super().__init__()
        self.read, self.words, self.places = read, nn.Embedding(11, 6), nn.Embedding(16, 6)
        self.head = nn.Linear(6, 3)
        self.register_buffer("order", torch.arange(16)[None], persistent=False)

    def forward(self, ids):
        h = self.words(ids)
        return self.head(torch.tanh(self.read(self, h, h.shape[1])))


READ = {
    "arange": lambda m, h, n: h + m.places(torch.arange(n)),
    "row": lambda m, h, n: m.places(torch.arange(n).unsqueeze(0)) + h,
    "buffer": lambda m, h, n: h + m.places(m.order[:, :n]),
    "behind two": lambda m, h, n: h + m.places(torch.arange(n) + 2),
    "slice": lambda m, h, n: h + m.places.weight[:n],
    "index": lambda m, h, n: h + m.places.weight[torch.arange(n)][None],
    "twice": lambda m, h, n: (h + m.places(torch.arange(n))).tanh() + m.places(torch.arange(n)),
}
OTHERS = {
    "from the end": lambda m, h, n: h + m.places.weight[16 - n :],
    "a factor": lambda m, h, n: h * m.places(torch.arange(n)),
    "backwards": lambda m, h, n: h + m.places(torch.arange(n).flip(0)),
}


def ids(batch: int, time: int) -> torch.Tensor:
    return torch.randint(11, (batch, time), generator=torch.Generator().manual_seed(time))


def equal(p, model, x) -> None:
    y, _ = p.net.apply(p.params, p.state, x.numpy())
    np.testing.assert_allclose(y, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", READ)
def test_any_length_up_to_the_table(name):
    torch.manual_seed(0)
    model = Positions(READ[name])
    p = port.from_torch(model, ids(2, 7))
    assert "learned_positions" in str(p.net)
    assert p.verify("gradients").ok
    for time in (1, 11, 14):
        equal(p, model, ids(3, time))


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_sequence_of_positions_is_not_read_so(name):
    torch.manual_seed(0)
    model = Positions(OTHERS[name])
    p = port.from_torch(model, ids(2, 7))
    assert "learned_positions(16)" not in str(p.net)
    assert p.verify("gradients").ok
    equal(p, model, ids(3, 7))


def test_the_rows_that_the_example_does_not_reach_go_there_and_back():
    torch.manual_seed(0)
    model = Positions(READ["behind two"])
    p = port.from_torch(model, ids(2, 7))
    np.testing.assert_array_equal(p.params["learned_positions_0"]["embedding"], model.places.weight.detach()[2:])
    params = {**p.params, "learned_positions_0": {"embedding": p.params["learned_positions_0"]["embedding"] + 1}}
    expected = model.places.weight.detach().numpy().copy()
    expected[2:] += 1
    np.testing.assert_array_equal(p.to_torch_state_dict(params)["places.weight"], expected)


def test_a_table_that_is_not_trained_is_frozen():
    torch.manual_seed(0)
    model = Positions(READ["arange"])
    model.places.weight.requires_grad_(False)
    p = port.from_torch(model, ids(2, 7))
    assert "frozen(learned_positions(16))" in str(p.net)
    assert p.verify("step").ok
    equal(p, model, ids(3, 12))
