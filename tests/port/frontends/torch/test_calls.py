"""Arguments of a model: by name, in tuples and dicts, None; and models in half precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compose import port


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)

    def forward(self, x, y=None, *, scale=1.0):
        if isinstance(x, dict):
            x, y = x["x"], x["y"]
        elif isinstance(x, (tuple, list)):
            x, y = x
        return self.a(x) * scale if y is None else self.a(x) * scale + self.a(y).tanh()


X, Y = torch.randn(5, 4), torch.randn(5, 4)
CALLS = {
    "None": ((X, None), {}),
    "dict": (({"x": X, "y": Y},), {}),
    "dict, other order": (({"y": Y, "x": X},), {}),
    "tuple": (((X, Y),), {}),
    "list": (([X, Y],), {}),
    "by name": ((X,), {"y": Y}),
    "a number": ((X,), {"scale": 2.0}),
    "one tensor twice": ((X, X), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_arguments(name):
    torch.manual_seed(0)
    args, named = CALLS[name]
    ported = port.from_torch(Sum(), *args, **named)
    report = ported.verify()
    assert report.ok and any("(8, 4)" in row.what for row in report.rows)
    assert len(ported.inputs) == len(torch.utils._pytree.tree_leaves([args, named])) - (name in ("None", "a number"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_in_half_precision_is_read_in_float32(dtype):
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3)).to(dtype)
    ported = port.from_torch(model, torch.randn(5, 4, dtype=dtype))
    assert ported.verify().ok and model[0].weight.dtype is dtype
    np.testing.assert_array_equal(ported.params["fc_0"]["kernel"], model[0].weight.float().T.detach().numpy())


class Rounds(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.l, self.fn = nn.Linear(6, 6), fn

    def forward(self, x):
        return self.fn(self.l(x))


ROUNDED = {
    "half": lambda x: (x.half() * 2.5).float(),
    "bfloat16": lambda x: (x.to(torch.bfloat16) * 2.5 + 1).float(),
    "output": lambda x: x.to(torch.bfloat16),
    "moved": lambda x: x.half().reshape(-1, 2, 3).transpose(1, 2).float(),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_a_cast_to_half_precision_rounds(name):
    torch.manual_seed(0)
    model, x = Rounds(ROUNDED[name]), torch.randn(4, 6)
    ported = port.from_torch(model, x)
    assert ported.verify("gradients").ok
    y, _ = ported.net.apply(ported.params, ported.state, x.numpy())
    (y,) = ported.theirs_out([np.asarray(y)])
    np.testing.assert_allclose(y, model(x).detach().float().numpy(), rtol=2e-2 if name != "half" else 2e-3)
    assert "reduce_precision" in str(ported.net)
