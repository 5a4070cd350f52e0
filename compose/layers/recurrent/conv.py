"""Convolutional LSTM."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from compose.combinators.over_time import Cell, OverTime
from compose.core.errors import ConfigError, ShapeError, expect_float, shape_text
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.activation.basic import sigmoid, tanh
from compose.layers.conv.convolve import general
from compose.layers.initializers import glorot_uniform, orthogonal
from compose.layers.recurrent.lstm import unit_forget
from compose.layers.window import Padding, Sizes, sizes, window

__all__ = ["conv_lstm", "conv_lstm_cell"]


@layer
class conv_lstm_cell(Cell):
    """One step of `conv_lstm`: `((h, c), x) -> ((h, c), h)`.

    Shapes: `((h, c) of (batch, *space', filters), x (batch, *space, n)) -> ((h, c), h)`. Elsewhere: Flax
    `linen.ConvLSTMCell`.

    Args:
        filters: output channels.
        kernel: size along each spatial axis; an int applies to all.
        stride, padding, dilation: those of the input's convolution, as in `conv`; the recurrent convolution has stride
            1 and "same" padding.
        recurrent_activation: the activation of the three gates.
        dropout, recurrent_dropout: dropout rates of the input's values and of the last output's, with one mask for each
            gate and all steps.
    """

    filters: int
    kernel: Sizes
    activation: Layer = tanh
    recurrent_activation: Layer = sigmoid
    stride: Sizes = 1
    padding: Padding = "same"
    dilation: Sizes = 1
    bias: bool = True
    kernel_init: Initializer = glorot_uniform
    recurrent_init: Initializer = orthogonal
    bias_init: Initializer = unit_forget
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0 or self.recurrent_dropout > 0

    def validate(self):
        if self.filters < 1:
            raise ConfigError("at least one filter", str(self.filters))
        if not (0 <= self.dropout < 1 and 0 <= self.recurrent_dropout < 1):
            raise ConfigError("rates from 0 to below 1", f"{self.dropout}, {self.recurrent_dropout}")

    def weights(self, x):
        rank = x.ndim - 2
        if not 1 <= rank <= 3:
            raise ShapeError("one to three spatial axes at each step, (batch, *space, channels)", shape_text(x))
        expect_float(x)
        window, wide = sizes(self.kernel, rank), 4 * self.filters
        kernel = Param((*window, x.shape[-1], wide), self.kernel_init)
        yield "kernel", kernel
        yield "recurrent_kernel", Param((*window, self.filters, wide), self.recurrent_init)
        if self.bias:
            yield "bias", Param((wide,), self.bias_init, fan_in=kernel.fans[0])

    def carry(self, x) -> Any:
        kernel = jax.ShapeDtypeStruct((*sizes(self.kernel, x.ndim - 2), x.shape[-1], self.filters), x.dtype)
        h = jax.eval_shape(self._over_input, x, kernel)
        return h, h

    def prepare(self, p, x, ctx):
        if not (ctx.train and self.draws):
            return p
        rates = {"dropout": (self.dropout, x), "recurrent_dropout": (self.recurrent_dropout, self.carry(x)[0])}
        kept = {
            key: jax.random.bernoulli(ctx.rng(key), 1 - rate, (4, *like.shape)).astype(x.dtype) / (1 - rate)
            for key, (rate, like) in rates.items()
            if rate
        }
        return {**p, **kept}

    def project(self, p, x, ctx):
        rank = p["kernel"].ndim - 2

        def over(x, kernel):
            z = self._over_input(x.reshape(-1, *x.shape[-rank - 1 :]), kernel)
            return z.reshape(*x.shape[: -rank - 1], *z.shape[1:])

        z = _each_gate(over, x, p["kernel"], p.get("dropout"))
        return z + p["bias"] if self.bias else z

    def step(self, p, carry, z, ctx):
        h, c = carry
        over = window(h, self.kernel, 1, "same", 1, False)
        back = lambda h, kernel: general(h, kernel, over, 1, False)
        z = z + _each_gate(back, h, p["recurrent_kernel"], p.get("recurrent_dropout"))
        i, f, g, o = jnp.split(z, 4, axis=-1)
        i, f, o = (ctx.run(self.recurrent_activation, p, a, "recurrent_activation") for a in (i, f, o))
        c = f * c + i * ctx.run(self.activation, p, g)
        return o * ctx.run(self.activation, p, c), c

    def read(self, carry):
        return carry[0]

    def _over_input(self, x, kernel):
        over = window(x, self.kernel, self.stride, self.padding, self.dilation, False)
        return general(x, kernel, over, 1, False)


@layer
class conv_lstm(OverTime, conv_lstm_cell):
    """LSTM over images, sequences or volumes, with convolutions as affine maps (Shi et al., ConvLSTM, 2015).

    Shapes: `(batch, time, *space, n) -> (batch, time, *space', filters)`, without time for `output="last"`; lengths,
    masks and an initial carry as in `lstm`. Parameters: `kernel (*kernel, n, 4 filters)`,
    `recurrent_kernel (*kernel, filters, 4 filters)`, `bias (4 filters,)`.
    Elsewhere: Keras `ConvLSTM1D/2D/3D`, whose default padding is `"valid"` and whose output is the last; Flax
    `linen.ConvLSTMCell` in `RNN`.
    """


def _each_gate(over, x, kernel, kept):
    """The convolution `over(x, kernel)` for all gates at once, or with `x` times a factor of each gate's own."""
    if kept is None:
        return over(x, kernel)
    return jnp.concatenate([over(x * k, part) for k, part in zip(kept, jnp.split(kernel, 4, axis=-1))], -1)
