"""Recurrent layers of Flax, Linen and NNX, in one direction and in both."""

from __future__ import annotations

from typing import Any

import numpy as np
from flax import linen as nn
from flax import nnx

from compose.core.errors import PortError
from compose.core.layer import as_layer
from compose.core.registry import word
from compose.port.frontends.flax.registry import rules

_GATES = {"lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}
_LSTM = (nn.LSTMCell, nn.OptimizedLSTMCell, nnx.LSTMCell, nnx.OptimizedLSTMCell)
_GRU, _SIMPLE = (nn.GRUCell, nnx.GRUCell), (nn.SimpleCell, nnx.SimpleCell)


@rules("flax.linen.recurrent.RNN", "flax.nnx.nn.recurrent.RNN")
def _rnn(low, module, x, initial_carry=None, seq_lengths=None, return_carry=None, time_major=None, reverse=None,
         keep_order=None, **rest):  # fmt: skip
    given = {"return_carry": return_carry, "time_major": time_major, "reverse": reverse, "keep_order": keep_order}
    told = {k: getattr(module, k) if v is None else v for k, v in given.items()}
    cell, weights = _cell(low, module.cell, "cell/")
    if not (told["return_carry"] and low.uses.get(low.eqn.outputs[0])) and not told["reverse"]:
        seq_lengths = None  # which change nothing but the carry
    _expect_lengths(low, seq_lengths, told["return_carry"])
    x = _time_second(low, x) if told["time_major"] else x
    options = {"reverse": True} if told["reverse"] else {}
    options |= {"return_carry": True} if told["return_carry"] else {}
    inputs = (x, *_given(seq_lengths), *_carry(low, module.cell, initial_carry))
    shape = (*x.shape[:2], cell.size)
    y = low.emit(cell.but(**options), *inputs, weights=weights, shape=shape)
    carry = None
    if told["return_carry"]:
        carry = _back(low, module.cell, low.emit(word("at")("1"), y))
        y = low.emit(word("at")("0"), y, shape=shape)
    if told["reverse"] and not told["keep_order"]:
        y = low.emit(word("ops.flip")(axis=1), y, shape=shape)
    y = _time_second(low, y) if told["time_major"] else y
    return y if carry is None else (carry, y)


@rules("flax.linen.recurrent.Bidirectional", "flax.nnx.nn.recurrent.Bidirectional")
def _bidirectional(low, module, x, initial_carry=None, seq_lengths=None, return_carry=None, time_major=None, **rest):
    return_carry = module.return_carry if return_carry is None else return_carry
    forth, back = module.forward_rnn, module.backward_rnn
    (one, weights), (other, back_weights) = (
        _cell(low, side.cell, f"{name}_rnn/cell/") for name, side in (("forward", forth), ("backward", back))
    )
    if (module.time_major if time_major is None else time_major) or initial_carry is not None:
        raise PortError("a bidirectional layer of (batch, time, features), from carries of zeros")
    _expect_lengths(low, seq_lengths, return_carry)
    options: dict[str, Any] = {"return_carry": True} if return_carry else {}
    both = {} if one == other else {"backward": other.but(reverse=True, **options)}
    taken = {f"forward/{k}": w for k, w in weights.items()} | {f"backward/{k}": w for k, w in back_weights.items()}
    join = _join(module.merge_fn)
    made = word("bidirectional")(one.but(**options), **both, **join)
    y = low.emit(made, x, *_given(seq_lengths), weights=taken)
    if not return_carry:
        return y
    carries = low.emit(word("at")("1"), y)
    sides = [_back(low, side.cell, low.emit(word("at")(str(i)), carries)) for i, side in enumerate((forth, back))]
    return tuple(sides), low.emit(word("at")("0"), y)


def _join(merge: Any) -> dict[str, Any]:
    a, b = np.arange(2.0), np.arange(2.0, 4.0)
    made = np.asarray(merge(a, b))
    for name, value in (
        ("concat", np.concatenate([a, b])),
        ("add", a + b),
        ("multiply", a * b),
        ("average", (a + b) / 2),
    ):
        if np.array_equal(made, value):
            return {} if name == "concat" else {"join": word(name)}
    raise PortError("a merge_fn that concatenates, adds, multiplies or averages")


@rules(*(f"flax.linen.recurrent.{kind}Cell" for kind in ("LSTM", "OptimizedLSTM", "GRU", "Simple")))
def _linen_step(low, module, carry, x):
    return _step(low, module, carry, x)


@rules(*(f"flax.nnx.nn.recurrent.{kind}Cell" for kind in ("LSTM", "OptimizedLSTM", "GRU", "Simple")))
def _step(low, module, carry, x):
    made, weights = _cell(low, module, "")
    kind = {"lstm": "lstm_cell", "gru": "gru_cell", "rnn": "rnn_cell"}[made.kind]
    fields = {k: getattr(made, k) for k in ("activation", "bias", "recurrent_bias")}
    fields |= {} if kind == "rnn_cell" else {"recurrent_activation": made.recurrent_activation}
    start = _carry(low, module, carry)
    if not start:
        raise PortError("a carry that depends on the input, got zeros; let nn.RNN make the loop and its first carry")
    both = low.emit(word(kind)(made.size, **fields), *start, x, weights=weights)
    return _back(low, module, low.emit(word("at")("0"), both)), low.emit(word("at")("1"), both)


def _cell(low: Any, cell: Any, prefix: str) -> tuple[Any, dict[str, Any]]:
    """The recurrent layer for a Flax cell, and its weights."""
    found = {k.removeprefix(prefix): w for k, w in low.weights.items() if k.startswith(prefix)}
    size = getattr(cell, "features", None) or getattr(cell, "hidden_features", None)
    if isinstance(cell, _SIMPLE):
        if cell.residual:
            raise PortError("a simple cell without residual=True")
        i, h = ("dense_i", "dense_h") if "dense_i/kernel" in found else ("i", "h")
        weights = {"kernel": f"{i}/kernel", "recurrent_kernel": f"{h}/kernel", "bias": f"{i}/bias"}
        return word("rnn")(size, as_layer(cell.activation_fn)), {k: found[name] for k, name in weights.items()}
    if not isinstance(cell, (*_LSTM, *_GRU)):
        raise PortError(f"a cell of Flax, got {type(cell).__name__}; teach its layer with @compose.port.rule")
    name = "lstm" if isinstance(cell, _LSTM) else "gru"
    options: dict[str, Any] = {
        "activation": as_layer(cell.activation_fn),
        "recurrent_activation": as_layer(cell.gate_fn),
    }
    if "dense_i/kernel" in found:
        side = "h" if name == "lstm" else "i"
        weights: Any = {"kernel": found["dense_i/kernel"], "recurrent_kernel": found["dense_h/kernel"]}
        options |= {} if name == "lstm" else {"recurrent_bias": False}
        return word(name)(size, **options), {**weights, "bias": found[f"dense_{side}/bias"]}
    gates = _GATES[name]
    found = {k.replace("if_/", "if/"): w for k, w in found.items()}
    weights = {
        "kernel": [found[f"i{g}/kernel"] for g in gates],
        "recurrent_kernel": [found[f"h{g}/kernel"] for g in gates],
        "bias": [found[f"{'h' if name == 'lstm' else 'i'}{g}/bias"] for g in gates],
    }
    if name == "gru":
        options["recurrent_bias"] = "candidate"
        weights["recurrent_bias"] = found["hn/bias"]
    return word(name)(size, **options), weights


def _expect_lengths(low: Any, lengths: Any, return_carry: Any) -> None:
    """Raise if outputs at padded steps are read, which Flax computes."""
    sequence = low.eqn.outputs[-1]
    if lengths is not None and (not return_carry or low.uses.get(sequence)):
        raise PortError(
            "seq_lengths where only the carry is read; at padded steps Flax goes on, layers here give zeros"
        )


def _carry(low: Any, cell: Any, carry: Any) -> tuple:
    """The initial carry in our order, None for zeros; Flax's LSTM has (c, h)."""
    parts = list(carry) if isinstance(carry, (tuple, list)) else _given(carry)
    if all(isinstance(p, np.ndarray) and not p.any() for p in parts):
        return ()
    return (low.emit(word("collect"), *parts[::-1]),) if isinstance(cell, _LSTM) else (parts[0],)


def _back(low: Any, cell: Any, carry: Any) -> Any:
    if not isinstance(cell, _LSTM):
        return carry
    return low.emit(word("at")("1"), carry), low.emit(word("at")("0"), carry)


def _time_second(low: Any, x: Any) -> Any:
    return low.emit(word("permute")(1, 0, *range(2, x.ndim)), x, shape=(x.shape[1], x.shape[0], *x.shape[2:]))


def _given(*parts: Any) -> tuple:
    return tuple(part for part in parts if part is not None)
