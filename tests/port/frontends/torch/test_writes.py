"""Writes in place: to a value, to a part of it, through its views, into fresh zeros."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compose import port
from compose.core.errors import PortError


class Of(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.l, self.fn = nn.Linear(6, 6), fn

    def forward(self, x):
        return self.fn(self.l(x))


def after(write):
    """A function that writes to a copy of its argument and returns it."""

    def fn(h):
        write(h)
        return h

    return fn


def two_views(h):
    a, b = h[:, :3], h[:, 3:]
    a.mul_(2.0)
    b.add_(a)
    return h


def read_late(h):
    y = h[:, :3]
    h.mul_(2.0)
    return y


def into_zeros(h):
    out = torch.zeros_like(h)
    out[:, ::2] = h[:, 1::2]
    return out


def into_constants(h):
    out = torch.arange(12.0).reshape(1, 12).repeat(h.shape[0], 1)
    out[:, 3:9] = h
    return out


def shifted(h):
    h = h.reshape(-1, 2, 3).clone()
    h[:, 1, 1:] = h[:, 0, :-1]
    return h


WRITES = {
    "through two views": after(lambda h: h.view(-1, 3, 2)[:, 0].masked_fill_(torch.tensor([True, False]), 7.0)),
    "column": after(lambda h: h[:, 1].add_(1.0)),
    "inplace activation": after(lambda h: F.relu(h[:, :3], inplace=True)),
    "fill": after(lambda h: h[:, 2:].fill_(0.5)),
    "zero": after(lambda h: h[:, :2].zero_()),
    "number": after(lambda h: h.__setitem__((slice(None), slice(2, None)), 0)),
    "another column": after(lambda h: h.__setitem__((slice(None), 1), h[:, 2])),
    "every other": after(lambda h: h[:, ::2].mul_(3.0)),
    "where": after(lambda h: h.__setitem__(h < 0, 0.5)),
    "broadcast": after(lambda h: h[:, 2:].copy_(h[:, :1])),
    "two views": two_views,
    "read late": read_late,
    "into zeros": into_zeros,
    "into constants": into_constants,
    "three axes": shifted,
    "transposed": after(lambda h: h.t()[1:3].sub_(1.0)),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_reaches_what_shares_its_memory(name):
    torch.manual_seed(0)
    assert port.from_torch(Of(WRITES[name]), torch.randn(4, 6)).verify().ok


def test_a_write_to_the_input():
    class Writes(nn.Module):
        def forward(self, x):
            x[:, 0] = 0
            return x * 2

    x = torch.randn(4, 6)
    ported, before = port.from_torch(Writes(), x), x.clone()
    assert ported.verify().ok and torch.equal(x, before)


def test_a_plain_inplace_activation_needs_no_rewriting():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    net = str(port.from_torch(model, torch.randn(2, 3, 8, 8)).net)
    assert net == 'compose_seq(conv(4, 3, relu, padding="valid"), conv(2, 3, padding="valid"))'


def test_a_write_to_a_buffer_is_refused():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(3))

        def forward(self, x):
            self.seen[0] += 1
            return x * self.seen[1]

    with pytest.raises(PortError, match="leaves its arrays alone"):
        port.from_torch(Counts(), torch.randn(4, 6))


def test_the_model_keeps_no_tensor_of_the_tracing():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.places = None, {}

        def forward(self, x):
            if self.table is None:
                self.table = torch.arange(6.0)
            if "last" not in self.places:
                self.places["last"] = torch.tensor([5])
            return x * self.table + x[:, self.places["last"]]

    model, x = Remembers(), torch.randn(4, 6)
    ported = port.from_torch(model, x)
    assert model.table is None and model.places == {}
    assert ported.verify().ok
    assert torch.equal(model(x), x * torch.arange(6.0) + x[:, [5]])
