"""Recurrent networks from any cell: unidirectional, bidirectional, stacked."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp

from compose.combinators.over_time import Cell, one_step, run_over_time, split_sequence
from compose.combinators.wrappers import Wrapper
from compose.core.combinator import Combinator
from compose.core.context import Context
from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, count_keys, layer
from compose.core.plan import Plan, draws, plan, planning, specs
from compose.layers.dropout import dropout
from compose.layers.join import concat

__all__ = ["bidirectional", "recurrent", "stacked"]


@layer
class recurrent(Wrapper):
    """Scan a cell over a sequence: `recurrent(lstm_cell(128), output="last")`.

    A cell is a layer `(carry, x) -> (carry, y)`. `rnn_cell`, `lstm_cell` and `gru_cell` start from a carry of
    zeros; for any other layer, such as a `graph`, the initial carry must be passed as an input.

    Shapes: `(batch, time, ...) -> (batch, time, ...)`, or `(batch, ...)` for `output="last"`. The input may be a
    tuple of the sequence, then lengths `(batch,)` or a boolean mask `(batch, time)`, then the initial carry.
    Padded steps keep the carry and output zeros. Elsewhere: Keras `RNN`, which returns the last output unless
    `return_sequences=True`, and repeats the last output at padded steps unless `zero_output_for_mask=True`;
    Flax `RNN`.

    Args:
        inner: the cell.
        output: `"sequence"` for the outputs of all steps, `"last"` for that of the last step that is not padding.
        return_carry: return `(output, final carry)`.
        reverse: scan from the last step to the first. Outputs keep the positions of their inputs; Keras's
            `go_backwards` reverses them.
        unroll: the number of steps per loop iteration.
    """

    inner: Layer
    output: Literal["sequence", "last"] = dataclasses.field(default="sequence", kw_only=True)
    return_carry: bool = dataclasses.field(default=False, kw_only=True)
    reverse: bool = dataclasses.field(default=False, kw_only=True)
    unroll: int = dataclasses.field(default=1, kw_only=True)

    def plan(self, x, scope: tuple = ()) -> Plan:
        xs, _, carry = split_sequence(x)
        now = one_step(xs)
        if carry is None:
            carry = self._cell().carry(now)
        cell = plan(self.inner, (carry, now), scope)
        if not isinstance(cell.out, tuple) or len(cell.out) != 2 or cell.out[0] != carry:
            raise ShapeError(
                f"a cell that returns a carry like its input carry, {shape_text(carry)}, and an output",
                shape_text(cell.out),
            ).locate(self)
        if cell.state:
            raise ConfigError("a cell without state", f"{self.inner}, with state {', '.join(cell.state)}").locate(self)
        run = lambda p, x: self.call(p, {}, x, planning(scope))[0]
        out = specs(jax.eval_shape(run, cell.param_specs(), x))
        return cell.within(self, x=x, out=out, times=xs.shape[1])

    def call(self, params, state, x, ctx: Context):
        if isinstance(self.inner, Cell):
            return run_over_time(self.inner, self, params, x, ctx), state
        xs, real, carry = split_sequence(x)
        shapes = specs((carry, jax.eval_shape(lambda a: a[:, 0], xs)))
        y = jax.eval_shape(lambda p, x: self.inner.call(p, {}, x, ctx.but(mask=None))[0][1], params, shapes)
        first = (carry, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), y))
        result = run_over_time(_Steps(self.inner, first), self, params, (xs, *_present(real), first), ctx)
        return ((result[0], result[1][0]) if self.return_carry else result), state

    def _cell(self) -> Cell:
        if not isinstance(self.inner, Cell):
            raise ConfigError(
                "an initial carry, which only rnn_cell, lstm_cell and gru_cell have by default",
                "only a sequence",
                "pass it as an input, (x, carry)",
            ).locate(self)
        return self.inner


class _Steps:
    """A layer `(carry, x) -> (carry, y)` as a `Cell` whose carry also holds the last output."""

    def __init__(self, layer: Layer, first: Any):
        self.layer, self.first = layer, first
        self.folds = draws(layer)

    scan = Cell.scan

    def carry(self, x):
        return specs(self.first)

    def prepare(self, p, x, ctx):
        return p

    def project(self, p, x, ctx):
        return x, jnp.arange(x.shape[0]) if self.folds and ctx.key is not None else None

    def step(self, p, carry, z, ctx: Context):
        x, i = z
        key = ctx.key if i is None else jax.random.fold_in(ctx.key, i)
        return self.layer.call(p, {}, (carry[0], x), ctx.looping(key=key))[0]

    def read(self, carry):
        return carry[1]


@layer
class bidirectional(Combinator):
    """A recurrent layer run forward and a second one run backward, their outputs joined by `join`.

    The backward layer starts at the last step that is not padding. With `output="last"` its output is
    that of the first step, where it ends; in torch that is `out[:, 0, size:]`, not in `out[:, -1]`. Parameters: under
    `forward` and `backward`. The initial and the returned carry are pairs of both. Shapes: those of the layer, with the
    two outputs joined. Elsewhere: Keras `Bidirectional` with `merge_mode="concat"`; torch `LSTM(bidirectional=True)`;
    Flax `Bidirectional`.

    Args:
        layer: the forward layer, such as `lstm(128)`.
        join: how outputs are joined: `concat`, `add`, `multiply`, `collect`.
        backward: the backward layer, with `reverse=True`; None for a copy of `layer`.
    """

    layer: Layer
    join: Layer = concat
    backward: Layer | None = None

    def validate(self):
        for side in (self.layer, self.backward):
            if side is not None and not hasattr(side, "reverse"):
                raise ConfigError("a recurrent layer, such as lstm(128)", str(side))
        if self.layer.reverse or (self.backward is not None and not self.backward.reverse):  # pyright: ignore
            raise ConfigError("a forward layer, and backward=... with reverse=True")

    def children(self):
        back = self.layer.but(reverse=True) if self.backward is None else self.backward
        return ("forward", self.layer), ("backward", back), ("join", self.join)

    def with_children(self, layers):
        forth, back, join = layers
        own = back if back != forth.but(reverse=True) else None
        return self.but(layer=forth, join=join, backward=own)

    def flow(self, x, run):
        xs, real, carry = split_sequence(x)
        if carry is not None and (not isinstance(carry, tuple) or len(carry) != 2):
            raise ShapeError("a pair of initial carries, forward and backward", shape_text(carry))
        carries = (None, None) if carry is None else carry
        outs = [run(key, side, _joined(xs, real, first)) for (key, side), first in zip(self.children(), carries)]
        if not getattr(self.layer, "return_carry", False):
            return run("join", self.join, tuple(outs))
        (forth, carry_forth), (back, carry_back) = outs
        return run("join", self.join, (forth, back)), (carry_forth, carry_back)


@layer
class stacked(Combinator):
    """`times` recurrent layers, each on the outputs of the previous one: `stacked(2, lstm(128), dropout=0.2)`.

    Lengths or a mask in the input apply to all layers. The layer's `output` and `return_carry` apply to the stack;
    its initial and returned carries are tuples with one entry per layer. Shapes: those of the layer. Elsewhere: torch
    `LSTM(num_layers=2)`, with the same `dropout`, between layers, not after the last; Keras has no such layer.
    """

    times: int
    layer: Layer
    dropout: float = 0.0

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.dropout > 0

    def validate(self):
        if self.times < 1:
            raise ConfigError("at least one layer", str(self.times))

    def children(self):
        inner = _giving_sequences(self.layer)
        layers = (*(inner,) * (self.times - 1), self.layer)
        return tuple(zip(count_keys(layers), layers))

    def with_children(self, layers):
        if any(_giving_sequences(a) != _giving_sequences(layers[-1]) for a in layers):
            raise ConfigError("equal layers", "different ones", "list them in compose_seq(...)").locate(self)
        return self.but(layer=layers[-1])

    def flow(self, x, run):
        xs, real, carry = split_sequence(x)
        if carry is not None and (not isinstance(carry, tuple) or len(carry) != self.times):
            raise ShapeError(f"{self.times} initial carries, one per layer", shape_text(carry))
        carries = []
        for i, (key, inner) in enumerate(self.children()):
            if i and self.dropout:
                xs = run(f"dropout_{i - 1}", dropout(self.dropout), xs)
            out = run(key, inner, _joined(xs, real, carry[i] if carry is not None else None))
            xs, after = out if isinstance(out, tuple) else (out, None)
            carries.append(after)
        return xs if carries[-1] is None else (xs, tuple(carries))


def _giving_sequences(layer: Layer) -> Layer:
    """The layer with `output="sequence"`, also inside `bidirectional`."""
    if isinstance(layer, bidirectional):
        return layer.with_children(tuple(_giving_sequences(side) for _, side in layer.children()))
    return layer.but(output="sequence") if getattr(layer, "output", "sequence") != "sequence" else layer


def _present(*parts) -> tuple:
    return tuple(part for part in parts if part is not None)


def _joined(xs, *parts) -> Any:
    rest = _present(*parts)
    return (xs, *rest) if rest else xs
