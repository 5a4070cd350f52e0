"""Planted faults: each must be caught by the proof, which names the right layer."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from compose import gelu, identity, port, relu, tanh
from compose.core.errors import PortError
from compose.port.ir.weights import WeightMap
from tests.port.frontends.torch.torch_models import CASES, Attention


def ported(name):
    torch.manual_seed(0)
    model, *inputs = CASES[name]()
    return port.from_torch(model, *inputs)


def with_net(p, net):
    return dataclasses.replace(p, net=net)


def with_views(p, change):
    records = WeightMap(dataclasses.replace(r, view=change(r)) for r in p.weights)
    return dataclasses.replace(p, found=dataclasses.replace(p.found, weights=records))


def says(p, *words, level="gradients"):
    with pytest.raises(PortError) as raised:
        p.verify(level)
    text = str(raised.value).rpartition("tolerance")[2]
    assert all(word in text for word in words), text


def test_epsilon():
    p = ported("cnn")
    says(
        with_net(p, p.net.replace("batch_norm_0", p.net["batch_norm_0"].but(epsilon=1e-3))),
        "batch_norm_0 = ",
        "norm.weight",
    )


def test_padding_same():
    p = ported("cnn")
    says(with_net(p, p.net.replace("conv_0", p.net["conv_0"].but(padding="same"))), "conv_0 = conv(8, 3", "conv.weight")


def test_momentum_and_variance_show_in_a_step():
    p = ported("cnn")
    for change in ({"momentum": 0.99}, {"unbiased": False}):
        says(
            with_net(p, p.net.replace("batch_norm_0", p.net["batch_norm_0"].but(**change))),
            "norm.running_",
            level="step",
        )


def test_another_gelu():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(4, 6), torch.nn.Linear(6, 2)

        def forward(self, x):
            return self.b(torch.nn.functional.gelu(self.a(x)))

    p = port.from_torch(Model(), torch.randn(3, 4))
    net = p.net.map(lambda path, inner: gelu(approximate=True) if inner == gelu else inner)
    assert net != p.net
    says(with_net(p, net), "a = fc(6, gelu", "a.weight")


def test_another_activation():
    p = ported("unet")
    says(with_net(p, p.net.map(lambda path, inner: tanh if inner == relu else inner)), "tanh")


def test_a_square_weight_transposed():
    p = ported("tied")
    straight = lambda r: dataclasses.replace(r.view, axes=None) if r.view.source == "body.weight" else r.view
    says(with_views(p, straight), "body.weight")


def test_gates_swapped():
    p = ported("lstm")

    def swap(r):
        if not r.target.endswith("recurrent_kernel"):
            return r.view
        return dataclasses.replace(r.view, split=(2, 2, 6, 6), axes=(3, 1, 0, 2), shape=(6, 24))

    says(with_views(p, swap), "lstm", "cell.")


def test_query_and_key_swapped():
    torch.manual_seed(0)
    p = port.from_torch(Attention(), torch.randn(3, 5, 8))
    rows = {"query": (8, 16), "key": (0, 8)}

    def swap(r):
        kind = r.target.rpartition("/")[2].split("_")[0]
        return dataclasses.replace(r.view, rows=rows[kind]) if kind in rows else r.view

    says(with_views(p, swap), "multi_head_attention", "attention.")


def test_merged_lstm_biases_learn_otherwise():
    """A merged bias computes the same but is one weight for two, which the weight map cannot say."""
    p = ported("lstm")
    merged = WeightMap(r for r in p.weights if not r.target.endswith("recurrent_bias"))
    net = p.net.map(lambda path, inner: inner.but(recurrent_bias=False) if inner.kind == "lstm" else inner)
    says(dataclasses.replace(p, net=net, found=dataclasses.replace(p.found, weights=merged)), "cell.bias_hh_l0")


def test_a_dropped_layer():
    """What comes out of nothing is the value before, which the source has too: the layer after it is named."""
    p = ported("cnn")
    says(with_net(p, p.net.map(lambda path, inner: identity if inner == relu else inner)), "head = fc(5")


def test_outputs_and_gradients_that_prove_nothing():
    class Constant(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) * 0.0

    class Stepped(torch.nn.Linear):
        def forward(self, x):
            return torch.sign(super().forward(x))

    for model, level in ((Constant(3, 4), "outputs"), (Stepped(3, 4), "gradients")):
        with pytest.raises(PortError, match="proves nothing"):
            port.from_torch(model, torch.randn(5, 3)).verify(level)
    assert port.from_torch(Stepped(3, 4), torch.randn(5, 3)).verify("outputs").ok


def test_a_gradient_that_is_rounding_beside_others():
    """The mean of what was normalised is its bias: no gradient reaches the input, but some of its rounding."""

    class Mean(torch.nn.InstanceNorm2d):
        def forward(self, x):
            return super().forward(x).mean((2, 3))

    assert port.from_torch(Mean(3, affine=True), torch.randn(4, 3, 5, 5)).verify("gradients").ok


class Normalised(torch.nn.Sequential):
    """A bias before batch norm, whose gradient in training is pure rounding: Adam moves it by noise."""

    def __init__(self):
        super().__init__(torch.nn.Linear(6, 5), torch.nn.BatchNorm1d(5), torch.nn.Tanh(), torch.nn.Linear(5, 2))


@pytest.mark.slow
def test_what_adam_moves_by_rounding_is_told_and_nothing_else_excused():
    model = Normalised()
    p = port.from_torch(model, torch.randn(7, 6))
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    assert "7 arrays; 1 moved by rounding" in str(p.verify("step", optimizer=adam))
    for change in ({"momentum": 0.8}, {"unbiased": False}):
        wrong = with_net(p, p.net.replace("batch_norm_0", p.net["batch_norm_0"].but(**change)))
        with pytest.raises(PortError, match=r"✗ step .* at 1\.running_var"):
            wrong.verify("step", optimizer=adam)
    assert "rounding" not in str(p.verify("step"))  # SGD moves it by as little as its gradient is
