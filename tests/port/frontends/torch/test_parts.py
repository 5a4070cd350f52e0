"""PyTorch's sequence and image modules, proven to twenty equal training steps, and what they refuse."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import compose
from compose import port
from compose.core.errors import PortError
from compose.core.layer import StatefulLayer, layer
from compose.core.param import Param
from compose.layers.initializers import zeros
from compose.port.ir.weights import View, linear
from tests.port.frontends.torch.torch_parts import CASES
from tests.port.levels import proofs


@proofs(CASES, level="steps")
def test_equal(name, level):
    torch.manual_seed(0)
    model, *inputs = CASES[name]()
    ported = port.from_torch(model, *inputs)
    assert ported.verify(level).ok
    assert compose.parse(str(ported.net)) == ported.net


@pytest.mark.slow
def test_states_have_torch_s_shapes():
    model, x = CASES["gru with its states"]()
    ported = port.from_torch(model, x)
    (y, h), _ = ported.net.apply(ported.params, ported.state, x.numpy())
    assert (y.shape, h.shape) == ((7, 3, 6), (2, 3, 6))


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)), (3, 5, 5)),
        (nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), (5, 8)),
    ],
)
def test_a_batch_of_one_stands_for_any(model, shape):
    ported = port.from_torch(model, torch.zeros(1, *shape))
    ours = shape if len(shape) == 2 else (*shape[1:], shape[0])
    for batch in (1, 4):
        x = torch.randn(batch, *shape)
        given = x.numpy() if len(shape) == 2 else x.permute(0, 2, 3, 1).numpy()
        y, _ = ported.net.apply(ported.params, ported.state, given)
        np.testing.assert_allclose(y, model.eval()(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert ported.net.out(jax.ShapeDtypeStruct((9, *ours), "float32"))[0] == 9


def test_a_forward_of_any_number_of_inputs_keeps_its_batch_free():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 6)

        def forward(self, *xs):
            return self.inner(sum(xs)).unflatten(1, (2, 3))

    net = port.from_torch(Sum(), torch.randn(3, 4), torch.randn(3, 4)).net
    assert net.out(*[jax.ShapeDtypeStruct((9, 4), "float32")] * 2) == (9, 2, 3)


class Running(nn.Module):
    """Adds the mean of what it has seen in training, which a buffer carries on."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        y = self.inner(x)
        if self.training:
            self.seen.mul_(0.9).add_(0.1 * y.detach().mean(0))
        return y + self.seen


@layer
class running_sum(StatefulLayer):
    """`x @ kernel + bias + seen`, where `seen` follows the mean."""

    def params(self, x):
        yield "kernel", Param((x.shape[-1], x.shape[-1]), zeros)
        yield "bias", Param(x.shape[-1:], zeros)

    def state(self, x):
        yield "seen", Param(x.shape[-1:], zeros)

    def forward(self, p, s, x, ctx):
        y = x @ p["kernel"] + p["bias"]
        if ctx.train:
            s = {"seen": 0.9 * s["seen"] + 0.1 * jax.lax.stop_gradient(y.mean(0))}
        return y + s["seen"], s


def test_a_module_that_carries_state_by_a_rule_of_one_s_own():
    from compose.port.lowering.registry import _custom

    @port.rule(Running)
    def _(low, call, x):
        weights = {"kernel": linear(f"{call.path}.inner.weight"), "bias": View(f"{call.path}.inner.bias")}
        return low.emit(running_sum(), x, shape=x.shape, weights=weights, state={"seen": View(f"{call.path}.seen")})

    try:
        ported = port.from_torch(nn.Sequential(Running(), nn.Tanh(), nn.Linear(4, 2)), torch.randn(3, 4))
    finally:
        del _custom[Running]
    assert ported.verify("steps").ok
    assert "seen" in str(ported.weights)


def test_state_that_only_training_moves_is_seen_by_the_step():
    ported = port.from_torch(Running(), torch.randn(3, 4))
    assert ported.verify("gradients").ok
    with pytest.raises(PortError, match=r"✗ step .*at seen"):
        ported.verify("step")


class Writes(Running):
    def forward(self, x):
        self.seen.add_(x.mean(0))
        return x + self.seen


class Numbers(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, mask):
        return self.attention(x, x, x, attn_mask=mask)[0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: (Writes(), torch.randn(3, 4)), r"'seen' is written at .*test_parts\.py:\d+"),
        (lambda: (nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 4))), torch.randn(3, 4)), "got it at 0"),
        (lambda: (Numbers(), torch.randn(3, 5, 8), torch.randn(5, 5)), "a boolean attn_mask"),
        (lambda: (nn.Embedding(4, 2, max_norm=1.0), torch.zeros(3, 2, dtype=torch.int64)), "as max_norm= does"),
    ],
)
def test_what_is_refused_says_why(make, says):
    with pytest.raises(PortError, match=says):
        model, *inputs = make()
        port.from_torch(model, *inputs)


def test_statistics_of_the_batch_in_inference_too():
    assert port.from_torch(nn.BatchNorm1d(4, track_running_stats=False), torch.randn(3, 4)).verify("step").ok


def test_control_flow_on_data_names_the_line_and_nothing_else(capfd):
    class Branching(nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x - 1

    with pytest.raises(PortError, match=re.escape("test_parts.py:")) as raised:
        port.from_torch(Branching(), torch.randn(2, 3))
    assert "torch.where" in str(raised.value) and capfd.readouterr() == ("", "")
