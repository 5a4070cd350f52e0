"""Recurrent layers, which Keras has with masks, initial and final states."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from compose.combinators.branch import identity
from compose.combinators.over_time import split_sequence
from compose.combinators.recurrent import bidirectional, recurrent
from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.keras.words.elementwise import named
from compose.export.keras.words.layouts import extra
from compose.export.source.text import same
from compose.export.source.value import Value
from compose.export.source.words.combinators import combinator
from compose.layers.activation.basic import sigmoid, tanh
from compose.layers.join import concat
from compose.layers.recurrent.conv import conv_lstm, conv_lstm_cell
from compose.layers.recurrent.gru import gru, gru_cell
from compose.layers.recurrent.lstm import lstm, lstm_cell
from compose.layers.recurrent.simple import rnn, rnn_cell

KINDS = {lstm_cell: "LSTM", gru_cell: "GRU", rnn_cell: "SimpleRNN", conv_lstm_cell: "ConvLSTM"}
CELLS = {"LSTM": "lstm_cell", "GRU": "gru_cell", "SimpleRNN": "simple_rnn_cell", "ConvLSTM": "conv_lstm_cell"}


@writes(lstm, gru, rnn, conv_lstm)
def over_time(w, layer, p, s, x):
    return written(w, layer, layer, p, x)


@writes(recurrent)
def of_cell(w, layer, p, s, x):
    return written(w, layer.inner, layer, p, x)


def kind_of(cell: Any) -> str:
    kind = next((name for c, name in KINDS.items() if isinstance(cell, c)), None)
    if kind is None or getattr(cell, "projection", None):
        raise ExportError("a cell that Keras has", str(cell))
    return kind


def function(activation: Any) -> str:
    name = "linear" if activation == identity else named(activation)
    if name is None:
        raise ExportError("activations that Keras's recurrent layers take by name", str(activation))
    return name


def arguments_of(cell: Any, kind: str, p: dict, rank: int = 0) -> str:
    """What the layer and its cell have in common."""
    given = (
        f"{cell.filters}, {same(cell.kernel) if isinstance(cell.kernel, tuple) else cell.kernel}"
        if rank
        else f"{cell.size}"
    )
    if rank:
        if not isinstance(cell.padding, str):
            raise ExportError('padding "same" or "valid"', f"{cell.padding}")
        given += extra(strides=cell.stride, padding=cell.padding, dilation_rate=cell.dilation)
    given += "" if cell.activation == tanh else f', activation="{function(cell.activation)}"'
    gate = getattr(cell, "recurrent_activation", sigmoid)
    given += "" if gate == sigmoid else f', recurrent_activation="{function(gate)}"'
    given += "" if "bias" in p or "recurrent_bias" in p else ", use_bias=False"
    given += ", reset_after=False" if kind == "GRU" and not cell.reset_after else ""
    for name in ("dropout", "recurrent_dropout"):
        given += f", {name}={getattr(cell, name)!r}" if getattr(cell, name, 0) else ""
    return given


def weights_of(cell: Any, kind: str, p: dict) -> dict[str, Any]:
    """The weights as Keras orders their gates: the update before the reset."""
    kernel, again = p["kernel"], p["recurrent_kernel"]
    wide, dtype = kernel.shape[-1], kernel.dtype
    biased = "bias" in p or "recurrent_bias" in p
    bias, more = p.get("bias", jnp.zeros(wide, dtype)), p.get("recurrent_bias", jnp.zeros(wide, dtype))
    more = jnp.concatenate([jnp.zeros(wide - more.shape[0], dtype), more])
    order = lambda a: a
    if kind == "GRU":
        order = lambda a: jnp.concatenate(
            [a[..., wide // 3 : 2 * wide // 3], a[..., : wide // 3], a[..., 2 * wide // 3 :]], -1
        )
    made = {"kernel": order(kernel), "recurrent_kernel": order(again)}
    if biased:
        apart = kind == "GRU" and cell.reset_after
        made["bias"] = jnp.stack([order(bias), order(more)]) if apart else order(bias + more)
    return made


def written(w, cell: Any, how: Any, p: dict, x: Any) -> Any:
    xs, real, carry = split_sequence(x)
    kind, xs = kind_of(cell), w.named(xs)
    rank = xs.ndim - 3
    options = arguments_of(cell, kind, p, rank)
    sequence = how.output == "sequence"
    options += ", return_sequences=True" if sequence else ""
    options += ", return_state=True" if how.return_carry else ""
    options += ", go_backwards=True" if how.reverse else ""
    options += ", zero_output_for_mask=True" if real is not None and sequence else ""
    text = f"layers.{kind}{f'{rank}D' if rank else ''}({options})"
    made = w.made_layer(text, {f"{CELLS[kind]}/{k}": v for k, v in weights_of(cell, kind, p).items()})
    given = [str(xs)]
    if real is not None:
        if real.ndim == 1:
            real = w.made(
                f"ops.less(ops.arange({xs.shape[1]}), ops.expand_dims({{}}, -1))", real, shape=xs.shape[:2], dtype=bool
            )
        given.append(f"mask={w.named(real)}")
    pair = kind in ("LSTM", "ConvLSTM")
    if carry is not None:
        given.append(f"initial_state=[{', '.join(str(w.named(v)) for v in (carry if pair else (carry,)))}]")
    out = w.out(how, x)
    y, end = out if how.return_carry else (out, None)
    value = lambda a: Value("", tuple(a.shape), a.dtype)
    call = f"{made}({', '.join(given)})"

    def placed(v: Value) -> Value:
        """The output at its steps, without the mask, which Keras would hand on to what follows."""
        v = w.call(v, "ops.copy({})") if real is not None and sequence else v
        return w.call(v, "ops.flip({}, axis=1)") if sequence and how.reverse else v

    if end is None:
        return placed(w.results(call, value(y)))
    first, *states = w.results(call, (value(y), *map(value, end if pair else (end,))))
    return placed(first), tuple(states) if pair else states[0]


@writes(bidirectional)
def both_ways(w, layer, p, s, x):
    """One layer for both directions where they differ in nothing else and are joined side by side."""
    (_, ahead), (_, back), _ = layer.children()
    plain = ahead == back.but(reverse=False) and layer.join == concat and not ahead.return_carry and not ahead.reverse
    if not plain or type(ahead) not in (lstm, gru, rnn) or isinstance(x, tuple) or getattr(ahead, "projection", None):
        return combinator(w, layer, p, s, x)
    kind = kind_of(ahead)
    options = arguments_of(ahead, kind, p["forward"])
    options += ", return_sequences=True" if ahead.output == "sequence" else ""
    inner = f'layers.{kind}({options}, name="{CELLS[kind].removesuffix("_cell")}")'
    weights = {
        f"{side}_{CELLS[kind].removesuffix('_cell')}/{CELLS[kind]}/{k}": v
        for side in ("forward", "backward")
        for k, v in weights_of(ahead, kind, p[side]).items()
    }
    return w.module(x, f"layers.Bidirectional({inner})", weights, w.out(layer, x).shape)


@writes(lstm_cell, gru_cell, rnn_cell)
def one_step(w, layer, p, s, x):
    carry, now = x
    kind = kind_of(layer)
    made = w.made_layer(f"layers.{kind}Cell({arguments_of(layer, kind, p)})", weights_of(layer, kind, p))
    states = carry if kind == "LSTM" else (carry,)
    call = f"{made}({w.named(now)}, [{', '.join(str(w.named(v)) for v in states)}])"
    y = w.out(layer, x)[1]
    value = Value("", tuple(y.shape), y.dtype)
    h, after = w.results(call, (value, tuple(value for _ in states)))
    return (after if kind == "LSTM" else after[0]), h
