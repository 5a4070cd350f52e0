"""Recurrent layers as torch's own, where it has their cell; others step by step."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from compose.combinators.branch import identity
from compose.combinators.over_time import split_sequence
from compose.combinators.recurrent import bidirectional, recurrent
from compose.export.errors import ExportError
from compose.export.source.registry import follows
from compose.export.source.value import Value
from compose.export.source.words.combinators import combinator
from compose.export.torch.registry import writes
from compose.layers.activation.basic import relu, sigmoid, tanh
from compose.layers.join import concat
from compose.layers.recurrent.gru import gru, gru_cell
from compose.layers.recurrent.lstm import lstm, lstm_cell
from compose.layers.recurrent.simple import rnn, rnn_cell

KINDS = {lstm_cell: "LSTM", gru_cell: "GRU", rnn_cell: "RNN"}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@writes(lstm, gru, rnn)
def over_time(w, layer, p, s, x):
    return written(w, layer, layer, [p], x)


@writes(recurrent)
def of_cell(w, layer, p, s, x):
    return written(w, layer.inner, layer, [p], x)


@writes(bidirectional)
@follows
def both_ways(w, layer, p, s, x):
    """One module for both directions where they differ in nothing else and are joined side by side."""
    (_, ahead), (_, back), _ = layer.children()
    plain = ahead == back.but(reverse=False) and layer.join == concat and not ahead.return_carry
    if plain and type(ahead) in (lstm, gru, rnn) and not isinstance(x, tuple) and kind_of(ahead) is not None:
        return written(w, ahead, ahead, [p["forward"], p["backward"]], w.last(x))
    return combinator(w, layer, p, s, x)


def kind_of(cell: Any) -> str | None:
    """torch's name of the layer, if it computes the same."""
    kind = next((name for c, name in KINDS.items() if isinstance(cell, c)), None)
    usual = cell.activation == tanh or (kind == "RNN" and cell.activation == relu) if kind else False
    gates = getattr(cell, "recurrent_activation", sigmoid) == sigmoid
    return kind if usual and gates and getattr(cell, "reset_after", True) else None


def biases(kind: str, size: int, p: dict) -> tuple[Any, Any]:
    """Both biases, as torch has them: one that a cell has not is zero, one of the last gates begins with zeros."""
    wide, dtype = GATES[kind] * size, p["kernel"].dtype
    again = p.get("recurrent_bias", jnp.zeros(wide, dtype))
    return p.get("bias", jnp.zeros(wide, dtype)), jnp.concatenate([jnp.zeros(wide - again.shape[0], dtype), again])


def written(w, cell: Any, how: Any, sides: list[dict], x: Any) -> Any:
    xs, real, carry = split_sequence(x)
    kind = kind_of(cell)
    if getattr(cell, "dropout", 0) or getattr(cell, "recurrent_dropout", 0):
        w.note(f"The dropout of {' '.join(str(cell).split())} is left out: torch has none inside a layer.")
    if real is None and kind is not None:
        return native(w, kind, cell, how, sides, xs, carry)
    if not isinstance(cell, tuple(KINDS)) or len(sides) != 1:
        raise ExportError("a cell that torch has", str(cell))
    return step_by_step(w, cell, how, sides[0], xs, real, carry)


def native(w, kind: str, cell: Any, how: Any, sides: list[dict], xs: Value, carry: Any) -> Any:
    size, n, ways = cell.size, xs.shape[-1], len(sides)
    fed = cell.projection if kind == "LSTM" and cell.projection else size
    biased = any(k in side for side in sides for k in ("bias", "recurrent_bias"))
    options = "".join([
        ', nonlinearity="relu"' if cell.activation == relu else "", "" if biased else ", bias=False",
        ", batch_first=True", ", bidirectional=True" if ways == 2 else "", f", proj_size={fed}" if fed != size else "",
    ])  # fmt: skip
    weights: dict[str, Any] = {}
    for side, end in zip(sides, ("", "_reverse")):
        weights |= {f"weight_ih_l0{end}": side["kernel"].T, f"weight_hh_l0{end}": side["recurrent_kernel"].T}
        if biased:
            fore, again = biases(kind, size, side)
            weights |= {f"bias_ih_l0{end}": fore, f"bias_hh_l0{end}": again}
        if fed != size:
            weights[f"weight_hr_l0{end}"] = side["projection_kernel"].T
    name = w.submodule(f"nn.{kind}({n}, {size}{options})", weights)
    backwards = how.reverse and ways == 1
    xs = w.call(xs, "{}.flip(1)") if backwards else xs
    start = ""
    if carry is not None:
        parts = carry if kind == "LSTM" else (carry,)
        texts = [f"{w.named(v)}.unsqueeze(0)" for v in parts]
        start = f", ({', '.join(texts)})" if kind == "LSTM" else f", {texts[0]}"
    text = f"self.{name}({xs}{start})"
    batch, time = xs.shape[:2]
    out = Value("", (batch, time, ways * fed), xs.dtype)
    ends = tuple(Value("", (ways, batch, k), xs.dtype) for k in ((fed, size) if kind == "LSTM" else (size,)))
    if how.output == "sequence" and not how.return_carry:
        y = Value(f"{text}[0]", out.shape, xs.dtype)
        return w.call(y, "{}.flip(1)") if backwards else y
    y, last = w.results(text, (out, ends if kind == "LSTM" else ends[0]))
    h = last[0] if kind == "LSTM" else last
    if how.output == "last":
        result = w.call(h, "{}.transpose(0, 1).flatten(1)" if ways == 2 else "{}[0]", shape=(batch, ways * fed))
    else:
        result = w.call(y, "{}.flip(1)") if backwards else y
    if not how.return_carry:
        return result
    end = tuple(w.call(v, "{}[0]", shape=v.shape[1:]) for v in (last if kind == "LSTM" else (last,)))
    return result, end if kind == "LSTM" else end[0]


def step_by_step(w, cell: Any, how: Any, p: dict, xs: Value, real: Any, carry: Any) -> Any:
    """The steps in a loop, with lengths, a mask or other activations."""
    kind = next(name for c, name in KINDS.items() if isinstance(cell, c))
    activation = function_of(w, cell.activation)
    gate = function_of(w, getattr(cell, "recurrent_activation", sigmoid))
    options = f"{cell.size}, {activation}, {gate}" if kind != "RNN" else f"{cell.size}, {activation}"
    weights = {"kernel": p["kernel"], "recurrent_kernel": p["recurrent_kernel"]}
    weights["bias"], weights["recurrent_bias"] = biases(kind, cell.size, p)
    if getattr(cell, "projection", None):
        weights["projection"] = p["projection_kernel"]
        options += f", projection={cell.projection}"
    if kind == "GRU" and not cell.reset_after:
        options += ", reset_after=False"
    part = w.part({"LSTM": "LSTMSteps", "GRU": "GRUSteps", "RNN": "RNNSteps"}[kind])
    name = w.submodule(f"{part}({xs.shape[-1]}, {options})", weights)
    for key in ("bias", "recurrent_bias"):
        if key not in p:
            w.code.lines.append(f"self.{name}.{key}.requires_grad_(False)")
    given = [str(w.named(xs))]
    if real is not None:
        given.append(f"real={w.named(real)}")
    if carry is not None:
        given.append(f"carry=({', '.join(str(w.named(v)) for v in (carry if kind == 'LSTM' else (carry,)))},)")
    given += ["reverse=True"] if how.reverse else []
    fed = getattr(cell, "projection", None) or cell.size
    batch, time = xs.shape[:2]
    out = Value("", (batch, time, fed), xs.dtype)
    ends = tuple(Value("", (batch, n), xs.dtype) for n in ((fed, cell.size) if kind == "LSTM" else (cell.size,)))
    y, carries = w.results(f"self.{name}({', '.join(given)})", (out, ends))
    result = carries[0] if how.output == "last" else y
    if not how.return_carry:
        return result
    return result, carries if kind == "LSTM" else carries[0]


def function_of(w, activation: Any) -> str:
    """torch's function for an activation."""
    if activation == identity:
        return w.part("unchanged")
    made = w.layer(activation, {}, {}, Value("x", (1, 1), jnp.float32))
    return f"lambda x: {made}" if isinstance(made, Value) else ""


@writes(lstm_cell, gru_cell, rnn_cell)
def one_step(w, layer, p, s, x):
    """A step is a sequence of one."""
    carry, now = x
    kind = kind_of(layer)
    if kind is None or getattr(layer, "projection", None):
        raise ExportError("a cell that torch has", str(layer))
    weights = {"weight_ih": p["kernel"].T, "weight_hh": p["recurrent_kernel"].T}
    biased = "bias" in p or "recurrent_bias" in p
    if biased:
        weights["bias_ih"], weights["bias_hh"] = biases(kind, layer.size, p)
    options = ("" if biased else ", bias=False") + (', nonlinearity="relu"' if layer.activation == relu else "")
    name = w.submodule(f"nn.{kind}Cell({now.shape[-1]}, {layer.size}{options})", weights)
    if kind == "LSTM":
        h, c = (w.named(v) for v in carry)
        end = w.results(f"self.{name}({now}, ({h}, {c}))", (h, c))
        return end, end[0]
    h = w.named(w.made(f"self.{name}({{}}, {{}})", now, carry, shape=carry.shape))
    return h, h
