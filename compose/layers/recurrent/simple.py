"""The simple RNN, and the base class of dense recurrent cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import jax

from compose.combinators.over_time import Cell, OverTime
from compose.core.errors import ConfigError, expect_float, expect_rank
from compose.core.initializer import Initializer
from compose.core.layer import Layer, layer, unlisted
from compose.core.param import Param
from compose.layers.activation.basic import tanh
from compose.layers.initializers import glorot_uniform, orthogonal, zeros
from compose.layers.product import product

__all__ = ["rnn", "rnn_cell"]


@unlisted
class DenseCell(Cell):
    """A cell with dense projections of the input and of its last output to `gates · size`; fields as in `rnn`."""

    size: int
    activation: Layer = tanh
    bias: bool = True
    recurrent_bias: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_init: Initializer = glorot_uniform
    recurrent_init: Initializer = orthogonal
    bias_init: Initializer = zeros
    recurrent_bias_init: Initializer = zeros

    gates: ClassVar[int] = 1
    hoisted: ClassVar[tuple[str, ...]] = ("bias", "recurrent_bias")  # added for all steps at once

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0 or self.recurrent_dropout > 0

    @property
    def fed_back(self) -> int:
        """The features of the output that is fed back."""
        return self.size

    def validate(self):
        if self.size < 1:
            raise ConfigError("a size of at least 1", str(self.size))
        if not (0 <= self.dropout < 1 and 0 <= self.recurrent_dropout < 1):
            raise ConfigError("rates from 0 to below 1", f"{self.dropout}, {self.recurrent_dropout}")

    def weights(self, x) -> Iterator[tuple[str, Param]]:
        expect_rank(x, 2, "(batch, features) at each step")
        expect_float(x)
        wide = self.gates * self.size
        yield "kernel", Param((x.shape[-1], wide), self.kernel_init)
        yield "recurrent_kernel", Param((self.fed_back, wide), self.recurrent_init)
        if self.bias:
            yield "bias", Param((wide,), self.bias_init, fan_in=self.size)
        if self.recurrent_bias:
            yield "recurrent_bias", Param((wide,), self.recurrent_bias_init, fan_in=self.size)

    def carry(self, x) -> Any:
        return jax.ShapeDtypeStruct((x.shape[0], self.size), x.dtype)

    def prepare(self, p, x, ctx):
        if not (ctx.train and self.draws):
            return p
        rates = {
            "dropout": (self.dropout, x.shape),
            "recurrent_dropout": (self.recurrent_dropout, (x.shape[0], self.fed_back)),
        }
        kept = {
            key: jax.random.bernoulli(ctx.rng(key), 1 - rate, shape).astype(x.dtype) / (1 - rate)
            for key, (rate, shape) in rates.items()
            if rate
        }
        return {**p, **kept}

    def project(self, p, x, ctx):
        z = product(x * p["dropout"] if "dropout" in p else x, p["kernel"])
        biases = [p[key] for key in self.hoisted if key in p]
        return z + sum(biases[1:], start=biases[0]) if biases else z

    def recur(self, p, h, columns: slice = slice(None)):
        """The product of the last output with columns of the recurrent kernel."""
        h = h * p["recurrent_dropout"] if "recurrent_dropout" in p else h
        return h @ p["recurrent_kernel"][:, columns]


@layer
class rnn_cell(DenseCell):
    """One step of `rnn`: `(h, x) -> (h, h)`.

    Shapes: `(h (batch, size), x (batch, n)) -> (h, h)`. Elsewhere: Keras `SimpleRNNCell`, torch `RNNCell`, Flax
    `SimpleCell`.
    """

    def step(self, p, carry, z, ctx):
        return ctx.run(self.activation, p, z + self.recur(p, carry))


@layer
class rnn(OverTime, rnn_cell):
    """`h = activation(x @ kernel + bias + h @ recurrent_kernel)` over time (Elman, 1990).

    Shapes: `(batch, time, n) -> (batch, time, size)`, or `(batch, size)` for `output="last"`; the input may be a tuple
    with lengths or a mask and an initial carry `h (batch, size)`, see `recurrent`. Parameters: `kernel (n, size)`,
    `recurrent_kernel (size, size)`, `bias (size,)`.
    Elsewhere: Keras `SimpleRNN` with these defaults, but `output="last"`; torch `RNN` with `batch_first=True` has
    `recurrent_bias=True` and initialises all parameters uniformly in ±1/√size; Flax `SimpleCell` in `RNN`.

    Args:
        size: output features.
        activation: the activation of the output.
        bias: whether the input projection has a bias.
        recurrent_bias: whether the recurrent projection has a bias.
        dropout, recurrent_dropout: dropout rates of the input's features and of the last output's, with one mask for
            all steps (Gal & Ghahramani, 2016).
        output, return_carry, reverse, unroll: as in `recurrent`.

    >>> from compose import relu, rnn
    >>> rnn(16, relu, output="last").out((10, 3))
    (16,)
    """
