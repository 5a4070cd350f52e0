"""Faults that only another batch or another length shows, and what a proof says of sizes that are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from compose import at, compose_seq, ensure_shape, ops, port, scale
from compose.core.errors import PortError
from compose.port.proof.sizes import axes_of_one_size, resized


class Mean(nn.Module):
    def __init__(self, axis):
        super().__init__()
        self.l, self.axis = nn.Linear(6, 6), axis

    def forward(self, x):
        return self.l(x).mean(self.axis)


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(6, 6)

    def forward(self, x):
        return self.l(x)[:, -1]


def with_net(ported, change):
    return dataclasses.replace(ported, net=change(ported.net))


def fails(ported, text, level):
    with pytest.raises(PortError) as raised:
        ported.verify(level)
    rows = [line for line in str(raised.value).splitlines() if "✗" in line]
    assert len(rows) == 1 and text in rows[0], rows


@pytest.mark.parametrize("level", ["outputs", "gradients", "step"])
def test_a_size_of_the_batch_as_a_number(level):
    ported = port.from_torch(Mean(0), torch.randn(4, 6))
    assert ported.verify(level).ok
    faulty = with_net(ported, lambda net: compose_seq(net["l"], ops.sum(axis=0), scale(by=0.25)))
    fails(faulty, "for (7, 6)", level)


def test_a_length_as_a_number():
    ported = port.from_torch(Last(), torch.randn(3, 5, 6))
    assert ported.verify().ok
    fails(with_net(ported, lambda net: compose_seq(net["l"], at(":, 4"))), "for (6, 8, 6)", "outputs")


def test_what_the_network_refuses_is_said():
    ported = port.from_torch(Mean(1), torch.randn(3, 5, 6))
    fixed = with_net(ported, lambda net: compose_seq(ensure_shape(3, None, None), *net.layers))
    assert "another batch is refused" in str(fixed.verify())
    long = with_net(ported, lambda net: compose_seq(ensure_shape(None, 5, None), *net.layers))
    assert "for (6, 5, 6)" in str(long.verify())


def test_what_the_source_refuses_is_said():
    class Four(nn.Module):
        def forward(self, x):
            assert x.shape[0] == 4
            return x * 2

    assert "another batch is refused" in str(port.from_torch(Four(), torch.randn(4, 6)).verify())
    ported = port.from_torch(nn.Tanh(), torch.randn(4, 6))
    ported.reference.takes = lambda inputs: inputs[0].shape == (4, 6)
    assert "the source takes no other batch" in str(ported.verify())


def test_axes_that_move_together():
    assert list(axes_of_one_size([(4, 5, 6), (4, 5), (), (4, 1)])) == [
        [(0, 0), (1, 0), (3, 0)],
        [(0, 1), (1, 1)],
        [(0, 2)],
    ]
    assert list(axes_of_one_size([()])) == []
    x, mask = np.arange(20.0).reshape(4, 5), np.ones((4, 5), bool)
    for made in resized([x, mask], [(0, 1), (1, 1)], np.random.default_rng(0)):
        assert made[0].shape == made[1].shape and made[1].dtype == bool and made[0].max() <= x.max()
