"""Sizes that a model computes with or reads as Python numbers: the network is right for others, or says it is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compose import parse, port
from compose.core.errors import PortError, ShapeError


class Of(nn.Module):
    """A function of a linear map."""

    def __init__(self, fn):
        super().__init__()
        self.l, self.fn = nn.Linear(6, 6), fn

    def forward(self, x):
        return self.fn(self.l(x))


def equal(ported, model, x):
    y, _ = ported.net.apply(ported.params, ported.state, x.numpy())
    np.testing.assert_allclose(y, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


COMPUTED = {
    "product": lambda h: h * h.shape[0],
    "mean": lambda h: h.sum(0, keepdim=True) / h.shape[0],
    "root": lambda h: h / h.shape[0] ** 0.5,
    "reciprocal": lambda h: h * (1 / h.shape[0]),
    "left": lambda h: h.shape[0] / (h + 9) + (2 - h.shape[0]),
    "whole": lambda h: (h.shape[0] + 1) * h - h.shape[0] // 2 + h.shape[0] % 3,
    "two sizes": lambda h: h * (h.shape[0] * h.repeat(2, 1).shape[0] - h.shape[0]),
    "elements": lambda h: h / h.numel(),
    "covariance": lambda h: h.t() @ h / (h.shape[0] - 1),
    "last": lambda h: h[h.shape[0] - 1],
    "power": lambda h: h.sigmoid() ** h.shape[0],
    "repeated": lambda h: h.repeat(2, 1),
    "filled": lambda h: h + torch.full((h.shape[0], 6), 2.0),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_arithmetic_with_the_batch(name):
    torch.manual_seed(0)
    model = Of(COMPUTED[name]).eval()
    ported = port.from_torch(model, torch.randn(4, 6))
    report = ported.verify()
    assert any("(7, 6)" in row.what for row in report.rows)
    assert "7919" not in str(ported.net) and parse(str(ported.net)) == ported.net
    equal(ported, model, torch.randn(9, 6))


READ = {
    "len": lambda h: h.sum(0, keepdim=True) / len(h),
    "loop": lambda h: torch.stack([row / row.norm() for row in h]),
    "split": lambda h: torch.cat(h.split(2)[::-1]),
    "chunk": lambda h: (lambda a, b: a + 7.5 * (b - a))(*h.chunk(2)),
    "unbind": lambda h: sum(h.unbind(0)),
    "half": lambda h: h[: h.shape[0] // 2],
    "all but the last": lambda h: h[: h.shape[0] - 1],
    "another for few": lambda h: (h if len(h) > 2 else -h).view(len(h), 2, 3).sum(1),
    "norm of each half": lambda h: torch.cat([c - c.mean(0) for c in h.chunk(2)]),
}


@pytest.mark.parametrize("name", READ)
def test_a_batch_that_python_reads(name):
    torch.manual_seed(0)
    model, x = Of(READ[name]).eval(), torch.randn(4, 6)
    ported = port.from_torch(model, x)
    report = ported.verify()
    assert "another batch is refused" in str(report)
    equal(ported, model, x)
    for other in (3, 5, 8):
        with pytest.raises(ShapeError, match=r"ensure_shape.*\(4, any\).*got \(\d, 6\)"):
            ported.net.apply(ported.params, ported.state, torch.randn(other, 6).numpy())


READ_AS_A_SIZE = {
    "rows": lambda h: h.view(len(h), 2, 3).sum(1),
    "zeros": lambda h: torch.cat([h, torch.zeros(len(h), 2)], 1),
    "ones": lambda h: h * torch.ones(len(h), 1),
    "heads": lambda h: h.reshape(len(h), 3, 2).transpose(1, 2).reshape(len(h), -1),
    "each matrix": lambda h: torch.bmm(torch.eye(6).expand(len(h), 6, 6), h[:, :, None])[:, :, 0],
}


@pytest.mark.parametrize("name", READ_AS_A_SIZE)
def test_a_batch_that_python_reads_as_a_size_is_free(name):
    torch.manual_seed(0)
    model = Of(READ_AS_A_SIZE[name]).eval()
    ported = port.from_torch(model, torch.randn(4, 6))
    assert "ensure_shape" not in str(ported.net) and "7919" not in str(ported.net)
    assert any("(7, 6)" in row.what for row in ported.verify("gradients").rows)
    equal(ported, model, torch.randn(9, 6))


LENGTHS = {
    "mean": lambda h: h.sum(1) / h.shape[1],
    "last": lambda h: h[:, h.shape[1] - 1],
    "half": lambda h: h[:, : h.shape[1] // 2].sum(1),
    "scaled": lambda h: h * h.shape[1] ** -0.5,
    "loop": lambda h: sum(h[:, i] * i for i in range(h.shape[1])),
    "the last five": lambda h: h[:, -5:].sum(1),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_python_reads(name):
    torch.manual_seed(0)
    model, x = Of(LENGTHS[name]).eval(), torch.randn(3, 5, 6)
    ported = port.from_torch(model, x)
    assert any("(6, 5, 6)" in row.what for row in ported.verify().rows)
    equal(ported, model, torch.randn(8, 5, 6))
    for other in (4, 9):
        with pytest.raises(ShapeError, match="ensure_shape"):
            ported.net.apply(ported.params, ported.state, torch.randn(3, other, 6).numpy())


FREE = {
    "mean": lambda h: h.mean(1),
    "softmax": lambda h: h.softmax(1),
    "last": lambda h: h[:, -1],
    "as long": lambda h: h[:, : h.shape[1]] * 2,
    "as long from the end": lambda h: h[:, -h.shape[1] :] * 2,
}


@pytest.mark.parametrize("name", FREE)
def test_a_length_that_is_free(name):
    torch.manual_seed(0)
    model = Of(FREE[name]).eval()
    ported = port.from_torch(model, torch.randn(3, 5, 6))
    assert "ensure_shape" not in str(ported.net)
    assert any("(6, 8, 6)" in row.what for row in ported.verify().rows)
    equal(ported, model, torch.randn(2, 9, 6))


def test_a_length_that_something_is_spread_to():
    ported = port.from_torch(Of(lambda h: h.mean(1, keepdim=True).expand_as(h)), torch.randn(3, 5, 6))
    assert "ensure_shape(None, 5, None)" in str(ported.net) and ported.verify().ok


def test_an_image_that_is_resized_to_its_own_size():
    class Resized(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, stride=2)

        def forward(self, x):
            return nn.functional.interpolate(self.conv(x), size=x.shape[-2:])

    ported = port.from_torch(Resized(), torch.randn(2, 3, 12, 16))
    assert "ensure_shape(None, 12, 16, None)" in str(ported.net) and ported.verify().ok
    with pytest.raises(ShapeError, match="ensure_shape"):
        ported.net.apply(ported.params, ported.state, np.zeros((2, 12, 20, 3), np.float32))


REFUSED = {
    "arange": (lambda h: h + torch.arange(h.shape[0])[:, None], "numbers for each"),
    "filled with it": (lambda h: h + torch.full((6,), h.shape[0]), "of the batch's size"),
    "rolled": (lambda h: h.roll(h.shape[0] // 2, 1), "roll of sizes that do not depend on the batch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_size_in_another_place_is_refused(name):
    fn, text = REFUSED[name]
    with pytest.raises(PortError) as raised:
        port.from_torch(Of(fn), torch.randn(4, 6))
    assert text in str(raised.value) and "test_sizes.py" in str(raised.value) and "7919" not in str(raised.value)
