"""Long short-term memory."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from compose.combinators.over_time import OverTime
from compose.core.errors import ConfigError
from compose.core.initializer import Initializer, initializer
from compose.core.layer import Layer, layer
from compose.core.param import Param
from compose.layers.activation.basic import sigmoid, tanh
from compose.layers.recurrent.lstm_scan import scan_lstm
from compose.layers.recurrent.simple import DenseCell

__all__ = ["lstm", "lstm_cell", "unit_forget"]


@initializer
def unit_forget(key, shape, dtype, fans):
    """Zeros, with ones for the forget gate, the second quarter (Jozefowicz et al., 2015).

    Shapes: `(4 · size,)`. Elsewhere: Keras `LSTM(unit_forget_bias=True)`.
    """
    return np.repeat(np.array([0, 1, 0, 0], dtype), shape[0] // 4)


@layer
class lstm_cell(DenseCell):
    """One step of `lstm`: `((h, c), x) -> ((h, c), h)`.

    Shapes: `((h, c) of (batch, size), x (batch, n)) -> ((h, c), h)`. Elsewhere: Keras, torch and Flax `LSTMCell`.
    """

    recurrent_activation: Layer = sigmoid
    projection: int | None = None
    bias_init: Initializer = unit_forget

    gates: ClassVar[int] = 4

    @property
    def fed_back(self) -> int:
        return self.projection or self.size

    def validate(self):
        super().validate()
        if self.projection is not None and self.projection < 1:
            raise ConfigError("a projection to at least 1 feature", str(self.projection))

    def weights(self, x):
        yield from super().weights(x)
        if self.projection:
            yield "projection_kernel", Param((self.size, self.projection), self.kernel_init)

    def carry(self, x):
        h, c = ((x.shape[0], n) for n in (self.fed_back, self.size))
        return jax.ShapeDtypeStruct(h, x.dtype), jax.ShapeDtypeStruct(c, x.dtype)

    def step(self, p, carry, z, ctx):
        h, c = carry
        i, f, g, o = jnp.split(z + self.recur(p, h), 4, axis=-1)
        i, f, o = (ctx.run(self.recurrent_activation, p, a, "recurrent_activation") for a in (i, f, o))
        c = f * c + i * ctx.run(self.activation, p, g)
        h = o * ctx.run(self.activation, p, c)
        return (h @ p["projection_kernel"] if self.projection else h), c

    def read(self, carry):
        return carry[0]

    def scan(self, p, carry, z, real, how, ctx):
        usual = self.activation == tanh and self.recurrent_activation == sigmoid and self.projection is None
        if not usual:
            return super().scan(p, carry, z, real, how, ctx)
        return scan_lstm(
            p["recurrent_kernel"], z, carry[0], carry[1], real, p.get("recurrent_dropout"),
            reverse=how.reverse, unroll=how.unroll, sequence=how.output == "sequence",
        )  # fmt: skip


@layer
class lstm(OverTime, lstm_cell):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997), with gates i, f, g, o.

    `i, f, o = sigmoid(...)`, `g = tanh(...)` of `x @ kernel + bias + h @ recurrent_kernel`; `c = f * c + i * g`;
    `h = o * tanh(c)`.

    Shapes: `(batch, time, n) -> (batch, time, size)`, or `(batch, size)` for `output="last"`; the input may be a tuple
    with lengths or a mask and an initial carry `(h, c)`, see `recurrent`. Parameters: `kernel (n, 4 size)`,
    `recurrent_kernel (size, 4 size)`, `bias (4 size,)`.
    Elsewhere: Keras `LSTM` with these defaults, including a forget gate bias of 1, but `output="last"`; torch `LSTM`
    with `batch_first=True` has two biases, each of which gets the full gradient (`recurrent_bias=True`), initialises
    all parameters uniformly in ±1/√size (`bias_init=torch_uniform`), and calls the projection `proj_size`; Flax's
    `LSTMCell` has the carry `(c, h)` and only a recurrent bias, initialised to zero (`bias_init=zeros`). There are no
    peepholes, as in these.

    Args:
        size: features of the carry, and of the output unless there is a projection.
        activation: the activation of the candidate g and of the carry c.
        recurrent_activation: the activation of the gates i, f, o.
        projection: the features to which the output is projected before it is returned and fed back.
        bias, recurrent_bias, dropout, recurrent_dropout: as in `rnn`.
        output, return_carry, reverse, unroll: as in `recurrent`.

    >>> from compose import lstm
    >>> lstm(128, output="last").out((28, 28))
    (128,)
    """
