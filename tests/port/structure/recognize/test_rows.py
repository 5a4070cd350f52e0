"""Layers between a reshape to rows and one back are read on the array itself, where that is right for any length."""

import numpy as np
import pytest

from compose import port

torch = pytest.importorskip("torch")
nn = torch.nn


class Rows(nn.Module):
    """A block of a transformer on rows; `back` gives them another shape."""

    def __init__(self, back):
        super().__init__()
        self.back, self.norm, self.out = back, nn.LayerNorm(6), nn.Linear(8, 6)
        self.inner = nn.Linear(6, 8)

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        rows = rows + self.out(self.inner(self.norm(rows)).relu())
        return self.back(rows, x).tanh()


def model(back):
    torch.manual_seed(0)
    return Rows(back).double()


def read(net, time=7, batch=2):
    return port.from_torch(net, torch.randn(batch, time, 6, dtype=torch.float64))


def test_the_length_is_free_where_the_model_reads_it():
    net = model(lambda rows, x: rows.view(x.shape))
    p = read(net)
    assert "reshape" not in str(p.net) and p.verify("gradients")
    for time in (1, 11, 14):
        x = torch.randn(3, time, 6)
        y = p.net.apply(p.params, p.state, x.numpy())[0]
        np.testing.assert_allclose(y, net(x.double()).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("back", [lambda rows, x: rows.view(-1, 7, 6), lambda rows, x: rows.view(-1, 14, 3)])
def test_a_length_that_is_written_in_the_model_is_never_taken_for_the_inputs(back):
    net = model(back)
    p = read(net)
    assert p.verify("outputs")
    x = torch.randn(2, 14, 6)
    try:
        y = p.net.apply(p.params, p.state, x.numpy())[0]
    except Exception as e:
        assert "ensure_shape" in str(e)
    else:
        np.testing.assert_allclose(y, net(x.double()).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_long_length_of_which_no_other_was_seen_is_fixed():
    net = model(lambda rows, x: rows.view(-1, 65, 6))
    p = read(net, 65, 3)
    assert "ensure_shape(None, 65, 6)" in str(p.net) and p.verify("outputs")


@pytest.mark.slow
def test_rows_that_others_read_stay_rows():
    net = model(lambda rows, x: rows.view(x.shape) + rows.mean(0))
    p = read(net)
    assert "reshape(-1, 6, batch=False)" in str(p.net) and p.verify("gradients")
