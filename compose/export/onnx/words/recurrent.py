"""Recurrent layers as ONNX's own, where it has their cell; others are a `Scan`."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.combinators.over_time import split_sequence
from compose.combinators.recurrent import bidirectional, recurrent
from compose.export.onnx.registry import writes
from compose.export.onnx.words.combinators import combinator
from compose.layers.activation.basic import relu, sigmoid, tanh
from compose.layers.activation.smooth import soft_sign
from compose.layers.join import concat
from compose.layers.recurrent.gru import gru, gru_cell
from compose.layers.recurrent.lstm import lstm, lstm_cell
from compose.layers.recurrent.simple import rnn, rnn_cell

ACTIVATIONS = {tanh: "Tanh", sigmoid: "Sigmoid", relu: "Relu", soft_sign: "Softsign"}
OPS = {lstm_cell: "LSTM", gru_cell: "GRU", rnn_cell: "RNN"}
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # where ONNX's gates are among ours


@writes(lstm, gru, rnn)
def over_time(writer, layer, p, s, x):
    return written(writer, layer, layer, [p], [layer.reverse], x)


@writes(recurrent)
def of_cell(writer, layer, p, s, x):
    return written(writer, layer.inner, layer, [p], [layer.reverse], x)


@writes(bidirectional)
def both_ways(writer, layer, p, s, x):
    """One node for both directions where they differ in nothing else and are joined side by side."""
    (_, ahead), (_, back), _ = layer.children()
    plain = ahead == back.but(reverse=False) and layer.join == concat and not ahead.return_carry
    if plain and type(ahead) in (lstm, gru, rnn) and not isinstance(x, tuple):
        y = written(writer, ahead, ahead, [p["forward"], p["backward"]], [False, True], x)
        if y is not NotImplemented:
            return y
    return combinator(writer, layer, p, s, x)


def written(writer, cell: Any, how: Any, sides: list[dict], reverse: list[bool], x: Any) -> Any:
    """The node for one or two directions, or `NotImplemented`."""
    op = next((name for kind, name in OPS.items() if isinstance(cell, kind)), None)
    names = None if op is None else _activations(cell, op)
    xs, real, carry = split_sequence(x)
    real = writer.mask if real is None else real
    masked = real is not None and np.dtype(real.dtype) == bool
    known = all(isinstance(a, np.ndarray) for side in sides for a in side.values())
    if op is None or names is None or masked or not known or getattr(cell, "projection", None) or xs.ndim != 3:
        return NotImplemented
    ways, size, (batch, time) = len(sides), cell.size, xs.shape[:2]
    steps = writer.transpose(xs, (1, 0, 2))
    kernel, recurrent_kernel, bias = (np.stack(parts) for parts in zip(*(_weights(cell, op, p) for p in sides)))
    lengths = None if real is None else writer.cast(real, np.int32)
    start = [None, None]
    if carry is not None:
        start = [writer.reshape(c, (1, *c.shape)) for c in (carry if op == "LSTM" else (carry,))]
    inputs = [
        steps, writer.weight(kernel, "kernel"), writer.weight(recurrent_kernel, "recurrent_kernel"),
        writer.weight(bias, "bias") if bias.any() or cell.bias else None, lengths, *start[: 2 if op == "LSTM" else 1],
    ]  # fmt: skip
    outputs = [((time, ways, batch, size), xs.dtype), *[((ways, batch, size), xs.dtype)] * (2 if op == "LSTM" else 1)]
    made = writer.nodes(
        op, inputs, outputs, hidden_size=size, activations=names * ways if names != _usual(op) else None,
        direction="bidirectional" if ways == 2 else "reverse" if reverse[0] else "forward",
        linear_before_reset=int(cell.reset_after) if op == "GRU" else None,
    )  # fmt: skip
    if how.output == "last":
        y = writer.reshape(writer.transpose(made[1], (1, 0, 2)), (batch, ways * size))
    elif ways == 1:
        y = writer.transpose(_without(writer, made[0], 1), (1, 0, 2))
    else:
        y = writer.reshape(writer.transpose(made[0], (2, 0, 1, 3)), (batch, time, ways * size))
    if not how.return_carry:
        return y
    ends = [_without(writer, m, 0) for m in made[1:]]
    return y, tuple(ends) if op == "LSTM" else ends[0]


def _without(writer, x, axis: int):
    shape = [n for i, n in enumerate(x.shape) if i != axis]
    return writer.node("Squeeze", x, np.array([axis], np.int64), shape=shape)


def _usual(op: str) -> list[str]:
    return {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[op]


def _activations(cell: Any, op: str) -> list[str] | None:
    """ONNX's names of the cell's activations."""
    outer = ACTIVATIONS.get(cell.activation)
    gate = ACTIVATIONS.get(getattr(cell, "recurrent_activation", sigmoid))
    if outer is None or gate is None:
        return None
    return {"LSTM": [gate, outer, outer], "GRU": [gate, outer], "RNN": [outer]}[op]


def _weights(cell: Any, op: str, p: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The kernels `(gates · size, n)` and the biases of the input and of the recurrence, in ONNX's order."""
    gates = len(ORDER[op])

    def ordered(a: np.ndarray) -> np.ndarray:
        parts = np.split(a, gates, -1)
        return np.concatenate([parts[i] for i in ORDER[op]], -1)

    dtype, wide = p["kernel"].dtype, gates * cell.size
    bias = p.get("bias", np.zeros(wide, dtype))
    again = p.get("recurrent_bias", np.zeros(wide, dtype))
    again = np.concatenate([np.zeros(wide - len(again), dtype), again])
    both = np.concatenate([ordered(bias), ordered(again)])
    return ordered(p["kernel"]).T, ordered(p["recurrent_kernel"]).T, both
