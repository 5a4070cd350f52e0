"""The gated recurrent unit."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import jax.numpy as jnp

from compose.combinators.over_time import OverTime
from compose.core.layer import Layer, layer
from compose.layers.activation.basic import sigmoid, tanh
from compose.layers.recurrent.gru_scan import scan_gru
from compose.layers.recurrent.simple import DenseCell
from compose.layers.slicing import take_slice

__all__ = ["gru", "gru_cell"]


@layer
class gru_cell(DenseCell):
    """One step of `gru`: `(h, x) -> (h, h)`.

    Shapes: `(h (batch, size), x (batch, n)) -> (h, h)`. Elsewhere: Keras, torch and Flax `GRUCell`.
    """

    recurrent_activation: Layer = sigmoid
    recurrent_bias: bool | Literal["candidate"] = True  # pyright: ignore[reportIncompatibleVariableOverride]
    reset_after: bool = True

    gates: ClassVar[int] = 3
    hoisted: ClassVar[tuple[str, ...]] = ("bias",)  # the reset gate multiplies the recurrent bias

    def weights(self, x):
        for name, param in super().weights(x):
            alone = name == "recurrent_bias" and self.recurrent_bias == "candidate"
            yield name, dataclasses.replace(param, shape=(self.size,)) if alone else param

    def recur(self, p, h, columns: slice = slice(None)):
        u = super().recur(p, h, columns)
        return u + p["recurrent_bias"][columns] if self.recurrent_bias is True else u

    def step(self, p, carry, z, ctx):
        gates = slice(None, 2 * self.size)
        u = self.recur(p, carry, slice(None) if self.reset_after else gates)
        gate = take_slice(z, ..., gates) + take_slice(u, ..., gates)
        r, update = jnp.split(ctx.run(self.recurrent_activation, p, gate, "recurrent_activation"), 2, axis=-1)
        rest = slice(2 * self.size, None)
        n = take_slice(u, ..., rest) if self.reset_after else self.recur(p, r * carry, rest)
        n = n + p["recurrent_bias"] if self.recurrent_bias == "candidate" else n
        n = r * n if self.reset_after else n
        n = ctx.run(self.activation, p, take_slice(z, ..., rest) + n)
        return n + update * (carry - n)

    def scan(self, p, carry, z, real, how, ctx):
        usual = self.activation == tanh and self.recurrent_activation == sigmoid and self.reset_after
        if not usual:
            return super().scan(p, carry, z, real, how, ctx)
        bias = p.get("recurrent_bias", jnp.zeros(self.size, z.dtype))
        if self.recurrent_bias is True:  # those of r and z are added for all steps at once
            gates, bias = jnp.split(bias, [2 * self.size])
            z = z + jnp.pad(gates, (0, self.size))
        return scan_gru(
            p["recurrent_kernel"], bias, z, carry, real, p.get("recurrent_dropout"),
            reverse=how.reverse, unroll=how.unroll, sequence=how.output == "sequence",
        )  # fmt: skip


@layer
class gru(OverTime, gru_cell):
    """Gated recurrent unit (Cho et al., 2014), with gates r, z, n.

    `r, z = sigmoid(...)` of `x @ kernel + bias + h @ recurrent_kernel + recurrent_bias`;
    `n = tanh(x @ kernel + bias + r * (h @ recurrent_kernel + recurrent_bias))`; `h = (1 - z) * n + z * h`.

    Shapes: `(batch, time, n) -> (batch, time, size)`, or `(batch, size)` for `output="last"`; the input may be a tuple
    with lengths or a mask and an initial carry `h (batch, size)`, see `recurrent`. Parameters: `kernel (n, 3 size)`,
    `recurrent_kernel (size, 3 size)`, `bias (3 size,)`, `recurrent_bias (3 size,)`.
    Elsewhere: torch `GRU` with `batch_first=True` computes this, and initialises all parameters uniformly in ±1/√size;
    Keras `GRU` has the gate order z, r, n, stores both biases as one `(2, 3 size)`, has `output="last"`, and with
    `reset_after=False` no recurrent bias (`gru(64, reset_after=False, recurrent_bias=False)`); Flax's `GRUCell` has
    only that of n (`recurrent_bias="candidate"`).

    Args:
        size: output features.
        activation: the activation of the candidate n.
        recurrent_activation: the activation of the gates r, z.
        reset_after: whether the reset gate is applied after the product with the recurrent kernel, or before it.
        bias, dropout, recurrent_dropout: as in `rnn`.
        recurrent_bias: whether the recurrent projection has a bias, or `"candidate"` for one of the candidate n only.
        output, return_carry, reverse, unroll: as in `recurrent`.

    >>> from compose import gru
    >>> gru(64).out((10, 3))
    (10, 64)
    """
