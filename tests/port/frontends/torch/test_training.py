"""What shows in training or in gradients alone: what is detached, what is frozen, what draws at random."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compose import port
from compose.core.errors import PortError


class Of(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.code, self.fn = nn.Linear(6, 6), fn

    def forward(self, x):
        return self.fn(self, x)


def without_gradient(self, x):
    with torch.no_grad():
        gate = self.code(x)
    return x * gate


@torch.no_grad()
def decorated(self, x):
    return torch.tanh(self.code(x)), x.mean(1, keepdim=True)


def two_of_them(self, x):
    gate, mean = decorated(self, x)
    return x * gate + mean * x.exp()


DETACHED = {
    "square": lambda s, x: x * x.detach(),
    "straight through": lambda s, x: x + (s.code(x) - x).detach(),
    "gate": lambda s, x: x * torch.sigmoid(s.code(x)).detach(),
    "no_grad": without_gradient,
    "no_grad, decorated": two_of_them,
    "data": lambda s, x: x * x.data,
    "step": lambda s, x: (x > 0).float() + x - x.detach(),
}


@pytest.mark.parametrize("name", DETACHED)
def test_what_is_detached_has_no_gradient(name):
    torch.manual_seed(0)
    ported = port.from_torch(Of(DETACHED[name]), torch.randn(4, 6))
    assert "ops.stop_gradient" in str(ported.net)
    assert ported.verify("gradients").ok and ported.verify("step").ok


def frozen(module, *names):
    for name in names:
        getattr(module, name).requires_grad_(False)
    return module


PARTLY = {
    "weight of linear": (frozen(nn.Linear(6, 5), "weight"), (4, 6)),
    "bias of linear": (frozen(nn.Linear(6, 5), "bias"), (4, 6)),
    "all of linear": (frozen(nn.Linear(6, 5), "weight", "bias"), (4, 6)),
    "weight of conv": (frozen(nn.Conv2d(3, 4, 3), "weight"), (2, 3, 6, 7)),
    "bias of conv": (frozen(nn.ConvTranspose1d(3, 4, 3), "bias"), (2, 3, 6)),
    "scale of batch norm": (frozen(nn.BatchNorm1d(6), "weight"), (4, 6)),
    "bias of batch norm": (frozen(nn.BatchNorm2d(3), "bias"), (2, 3, 6, 7)),
    "all of batch norm": (frozen(nn.BatchNorm1d(6), "weight", "bias"), (4, 6)),
    "scale of layer norm": (frozen(nn.LayerNorm(6), "weight"), (4, 6)),
    "bias of group norm": (frozen(nn.GroupNorm(2, 6), "bias"), (4, 6, 5)),
}


@pytest.mark.parametrize("name", PARTLY)
def test_a_layer_that_trains_in_part(name):
    torch.manual_seed(0)
    layer, shape = PARTLY[name]
    model, x = nn.Sequential(layer, nn.Tanh(), nn.Flatten(), nn.LazyLinear(3)), torch.randn(shape)
    model.eval()(x)
    ported = port.from_torch(model, x)
    assert "frozen" in str(ported.net) and ported.verify("steps", steps=3).ok


def test_other_arrays_frozen_alone_are_refused():
    lstm = nn.LSTM(6, 5, batch_first=True)
    lstm.weight_hh_l0.requires_grad_(False)
    with pytest.raises(PortError, match="requires_grad=False for 'weight_hh_l0' alone"):
        port.from_torch(lstm, torch.randn(3, 4, 6))


def test_a_cumulative_mean_is_refused():
    with pytest.raises(PortError, match="momentum=None at 1, a BatchNorm1d"):
        port.from_torch(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, momentum=None)), torch.randn(4, 6))


ALWAYS = {
    "dropout": lambda s, x: F.dropout(s.code(x), 0.5),
    "alpha_dropout": lambda s, x: F.alpha_dropout(s.code(x), 0.5, training=True),
    "feature_dropout": lambda s, x: F.dropout2d(s.code(x)[..., None, None], 0.5),
    "rrelu": lambda s, x: F.rrelu(s.code(x), training=True),
}


@pytest.mark.parametrize("name", ALWAYS)
def test_what_drops_in_inference_too_is_refused(name):
    with pytest.raises(PortError, match=rf"{name}.* in training alone.*training=self.training"):
        port.from_torch(Of(ALWAYS[name]), torch.randn(4, 6))


SOMETIMES = {
    "dropout": lambda s, x: s.code(F.dropout(s.code(x), 0.5, s.training)),
    "drop path": lambda s, x: x + s.code(x) if not s.training else x + s.code(x) * torch.ones_like(x[:, :1]),
}


@pytest.mark.parametrize("name", SOMETIMES)
def test_a_step_without_chance(name):
    torch.manual_seed(0)
    report = port.from_torch(Of(SOMETIMES[name]), torch.randn(4, 6)).verify()
    assert report.level == "step" and report.ok


def test_a_slope_at_random_is_proven_to_gradients():
    model = nn.Sequential(nn.Linear(6, 5), nn.RReLU())
    assert port.from_torch(model, torch.randn(4, 6)).verify().level == "gradients"


WITHOUT_GRADIENT = {
    "labels": lambda s, x: s.code(x).argmax(-1),
    "logits and labels": lambda s, x: (s.code(x), s.code(x).argmax(-1)),
    "booleans": lambda s, x: s.code(x) > 0,
    "whole numbers": lambda s, x: (s.code(x) * 10).int(),
    "steps": lambda s, x: (s.code(x) > 0).float(),
}


@pytest.mark.parametrize("name", WITHOUT_GRADIENT)
def test_outputs_without_gradients(name):
    torch.manual_seed(0)
    report = port.from_torch(Of(WITHOUT_GRADIENT[name]), torch.randn(5, 6)).verify()
    assert report.ok and report.level == "step"


@pytest.mark.parametrize("level", ["step", "steps", None])
def test_a_model_without_weights(level):
    report = port.from_torch(nn.Sequential(nn.ReLU(), nn.Flatten()), torch.randn(3, 4, 2)).verify(level)
    assert report.ok and report.level == (level or "gradients")


def test_statistics_without_parameters_are_compared():
    model = nn.Sequential(nn.BatchNorm1d(6, affine=False), nn.Tanh())
    assert port.from_torch(model, torch.randn(5, 6)).verify("steps").ok


def test_variances_keep_their_scale():
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Sigmoid())
    with torch.no_grad():
        model[0].weight *= 1e4
        model[1].running_var.fill_(1e8)
    assert port.from_torch(model, torch.randn(4, 6)).verify().ok
    np.testing.assert_array_equal(model[1].running_var, np.full(5, 1e8))
