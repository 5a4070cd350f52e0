"""What a port gets wrong without being told: each is ported, and proven in float64 where the difference shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compose import port
from compose.core.errors import PortError

keras = pytest.importorskip("keras")


class Made(nn.Module):
    """A function as a module, after a convolution so that its axes are channels-last here."""

    def __init__(self, fn, first=None):
        super().__init__()
        self.fn, self.first = fn, first or nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.fn(self.first(x))


class Transposed(nn.Module):
    """Hugging Face's `Conv1D`: a matrix stored (in, out)."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)


class Masked(nn.Module):
    """Attention that leaves some keys out: True says ignore in one of torch's ways, attend in the other."""

    def __init__(self, module: bool):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.project = nn.Linear(8, 8)
        self.module = module
        self.register_buffer("mask", torch.tensor([[0, 1, 1], [0, 0, 1], [0, 0, 0]]).bool())

    def forward(self, x):
        if self.module:
            return self.attention(x, x, x, attn_mask=self.mask, need_weights=False)[0]
        q = self.project(x)
        return F.scaled_dot_product_attention(q, q, x, attn_mask=~self.mask)


def image():
    return torch.randn(2, 3, 6, 8)


def ties():
    """Values at which torch's gradients are its own."""
    return torch.tensor([[0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 0.5, -2.0]]).repeat(3, 1)


TORCH = {
    "a matrix stored (in, out)": (Transposed, lambda: torch.randn(3, 4)),
    "depthwise with a multiplier": (lambda: nn.Conv2d(3, 6, 3, groups=3, padding=1), image),
    "stride 2 on an even length": (lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), image),
    "transposed convolution": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        lambda: torch.randn(2, 4, 3, 4),
    ),
    "transposed convolution of 4": (lambda: nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), image),
    "softmax over channels": (lambda: Made(lambda x: torch.softmax(x, 1)), image),
    "mean over channels": (lambda: Made(lambda x: x.mean(1)), image),
    "channels split and joined": (lambda: Made(lambda x: torch.cat(x.split([1, 3], 1)[::-1], 1)), image),
    "padding of the last axes": (lambda: Made(lambda x: F.pad(x, (1, 2, 0, 3))), image),
    "rows of pixels": (lambda: Made(lambda x: x.flatten(2).transpose(1, 2)), image),
    "flatten, then a matrix": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(192, 5)), image),
    "pixel shuffle": (lambda: Made(nn.PixelShuffle(2)), image),
    "padding that counts": (lambda: nn.AvgPool2d(3, 2, 1), image),
    "padding that does not count": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), image),
    "windows over the end": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), lambda: torch.randn(2, 3, 7, 8)),
    "largest over the end": (lambda: nn.MaxPool2d(2, 2, ceil_mode=True), lambda: torch.randn(2, 3, 5, 7)),
    "largest of equals": (
        lambda: nn.MaxPool2d(2),
        lambda: torch.randn(2, 3, 2, 2).repeat_interleave(2, 2).repeat_interleave(2, 3),
    ),
    "root mean square, epsilon of the dtype": (lambda: nn.RMSNorm(8), lambda: 1e-3 * torch.randn(4, 8)),
    "group norm over channels": (lambda: Made(nn.GroupNorm(2, 4)), image),
    "gelu by tanh": (lambda: nn.GELU("tanh"), ties),
    "gelu": (nn.GELU, ties),
    "relu at 0": (nn.ReLU, ties),
    "relu6 at 6": (nn.ReLU6, ties),
    "leaky relu at 0": (nn.LeakyReLU, ties),
    "hard tanh at 1": (nn.Hardtanh, ties),
    "hard sigmoid at 3": (nn.Hardsigmoid, ties),
    "clamp at its bounds": (lambda: Made(lambda x: x.clamp(-1, 1), nn.Identity()), ties),
    "abs at 0": (lambda: Made(torch.abs, nn.Identity()), ties),
    "True ignores": (lambda: Masked(True), lambda: torch.randn(2, 3, 8)),
    "True attends": (lambda: Masked(False), lambda: torch.randn(2, 3, 8)),
    "variance by n - 1": (lambda: Made(lambda x: x.var(1), nn.Linear(5, 5)), lambda: torch.randn(3, 5)),
    "deviation by n - 1": (lambda: Made(lambda x: x.std(1), nn.Linear(5, 5)), lambda: torch.randn(3, 5)),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch(name):
    torch.manual_seed(0)
    make, x = TORCH[name]
    assert port.from_torch(make(), x()).verify("gradients").ok


L = keras.layers
KERAS = {
    "same at stride 2": ([L.Conv2D(4, 3, strides=2, padding="same")], (6, 8, 3)),
    "an epsilon of its own": ([L.Conv2D(4, 1), L.BatchNormalization(epsilon=1.001e-5, momentum=0.9)], (4, 4, 3)),
    "depthwise with a multiplier": ([L.DepthwiseConv2D(3, depth_multiplier=2)], (6, 8, 3)),
    "transposed convolution": ([L.Conv2DTranspose(4, 3, strides=2, padding="same")], (5, 4, 3)),
    "padding that does not count": ([L.AveragePooling2D(3, 2, padding="same")], (6, 8, 3)),
    "a slope of 0.3": ([L.Dense(4), L.LeakyReLU()], (5,)),
    "slopes for each place": ([L.Dense(4), L.PReLU("ones")], (5,)),
    "gates": ([L.LSTM(4), L.Dense(2)], (6, 3)),
    "gates of a GRU": ([L.GRU(4, reset_after=True)], (6, 3)),
    "layer norm's epsilon": ([L.LayerNormalization()], (5,)),
}


@pytest.mark.parametrize("name", KERAS)
def test_keras(name):
    keras.utils.set_random_seed(0)
    layers, shape = KERAS[name]
    model = keras.Sequential([keras.Input(shape), *layers])
    assert port.from_keras(model).verify("step" if "epsilon of" in name else "gradients").ok


def test_a_fresh_model_hides_nothing():
    """A head of zeros makes every output 0: the proof moves it off, and still catches a fault before it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2))
    for weight in model[2].parameters():
        nn.init.zeros_(weight)
    p = port.from_torch(model, torch.randn(3, 4))
    assert not np.any(p.net.apply(p.params, p.state, np.ones((3, 4), "float32"))[0])
    assert p.verify("gradients").ok
    from compose import gelu

    faulty = p.net.map(lambda path, inner: gelu(approximate=True) if inner == gelu else inner)
    with pytest.raises(PortError, match="fc_0"):
        dataclasses.replace(p, net=faulty).verify("outputs")


def test_an_output_that_is_constant_proves_nothing():
    class Deaf(nn.Module):
        def forward(self, x):
            return x * 0.0

    with pytest.raises(PortError, match="a constant output, which proves nothing"):
        port.from_torch(Deaf(), torch.randn(3, 4)).verify("outputs")


def test_a_query_that_attends_to_nothing():
    """torch gives it zeros, or NaN, jax.nn an average of all."""

    class Closed(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.tensor([[True, False, True], [False, False, False], [True, True, True]]))

        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask)

    assert port.from_torch(Closed(), torch.randn(2, 3, 4)).verify("gradients").ok


def test_the_lower_of_two_medians():
    ported = port.from_torch(Made(lambda x: x.median(1)[0], nn.Linear(4, 4)), torch.randn(3, 4))
    assert ported.verify("gradients").ok


def test_the_old_resizing_of_tensorflow_is_not_half_a_pixel_off():
    """TF1 resizes from the corner of the first pixel, TF2, Keras and torch from its middle."""
    tf = pytest.importorskip("tensorflow")
    x = np.arange(4, dtype="float32").reshape(1, 4, 1, 1) * np.ones((3, 1, 4, 1), "float32")
    old = port.from_tf(lambda x: tf.raw_ops.ResizeBilinear(images=x, size=[8, 4]), x)
    new = port.from_tf(lambda x: tf.image.resize(x, [8, 4]), x)
    rows = [np.asarray(p.net.apply({}, {}, x)[0])[0, :, 0, 0] for p in (old, new)]
    np.testing.assert_array_equal(rows[0], [0, 0.5, 1, 1.5, 2, 2.5, 3, 3])
    np.testing.assert_array_equal(rows[1], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert str(old.net) == 'resize((8, 4), coordinates="asymmetric")' and str(new.net) == "resize((8, 4))"
    assert old.verify().ok and new.verify().ok
    with pytest.raises(PortError, match="NOT equal"):
        dataclasses.replace(old, net=new.net).verify("outputs")


def test_half_the_sum_of_squares():
    """`tf.nn.l2_loss` is half of what Keras's `l2(1.0)` and a sum of squares are."""
    tf = pytest.importorskip("tensorflow")
    x = np.arange(12, dtype="float32").reshape(3, 4)
    p = port.from_tf(lambda x: x * tf.nn.l2_loss(x), x)
    assert p.verify("gradients").ok and "scale(by=0.5)" in str(p.net)
    with pytest.raises(PortError):
        without = p.net.map(lambda path, inner: inner.but(options=()) if inner.kind == "scale" else inner)
        dataclasses.replace(p, net=without).verify("outputs")
