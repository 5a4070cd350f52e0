"""Recurrent layers."""

from __future__ import annotations

from typing import Any

import keras

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.frontends.keras.rules.conv import layout, one
from compose.port.frontends.keras.rules.elementwise import activation
from compose.port.frontends.keras.rules.mask import unread
from compose.port.ir.weights import View

_WORDS = {"SimpleRNNCell": "rnn", "LSTMCell": "lstm", "GRUCell": "gru"}


@rules("keras.layers.LSTM", "keras.layers.GRU", "keras.layers.SimpleRNN", "keras.layers.RNN")
def _recurrent(walk, layer, x, initial_state=None, mask=None):
    cells = getattr(layer.cell, "cells", [layer.cell])
    if layer.go_backwards and layer.return_sequences and mask is not None:
        raise PortError("masked sequences that go forwards; Keras turns the outputs round and not the mask")
    _whole(walk, layer, mask)
    given, states = keras.tree.flatten(initial_state) if initial_state is not None else [], []
    for i, cell in enumerate(cells):
        final = i == len(cells) - 1
        made, weights = _cell(walk, cell)
        made = made.but(**_over_time(layer) if final else {**_over_time(layer), "output": "sequence"})
        first, given = given[: _states(cell)], given[_states(cell) :]
        steps = [x] if mask is None else [x, mask]
        y = walk.emit(made, *steps, *([_carry(walk, first)] if first else []), weights=weights)
        x, after = _with_states(walk, layer, cell, y)
        states += after
    return _given(walk, layer, x, states)


def _with_states(walk: Any, layer: Any, cell: Any, y: Any) -> tuple[Any, list]:
    """The output, followed by the states if the layer returns them."""
    if not layer.return_state:
        return y, []
    return walk.emit(word("at")("0"), y), _parts(walk, walk.emit(word("at")("1"), y), _states(cell))


def _given(walk: Any, layer: Any, y: Any, states: list) -> Any:
    if layer.go_backwards and layer.return_sequences:
        y = walk.emit(word("ops.flip")(axis=1), y)
    return [y, *states] if states else y


@rule("keras.layers.Bidirectional")
def _bidirectional(walk, layer, x, initial_state=None, mask=None):
    forth, back = layer.forward_layer, layer.backward_layer
    for side in (forth, back):
        _whole(walk, side, mask)
    if forth.go_backwards:
        raise PortError("a first layer that goes forwards, got go_backwards=True")
    (one_way, weights), (other, back_weights) = (_cell(walk, side.cell) for side in (forth, back))
    one_way, other = one_way.but(**_over_time(forth)), other.but(**_over_time(back))
    joins = {"concat": "concat", "sum": "add", "mul": "multiply", "ave": "average", None: "collect"}
    options = {} if other == one_way.but(reverse=True) else {"backward": other}
    if layer.merge_mode != "concat":
        options["join"] = word(joins[layer.merge_mode])
    inputs = [x] if mask is None else [x, mask]
    if initial_state is not None:
        half = len(initial_state) // 2
        pair = [_carry(walk, part) for part in (initial_state[:half], initial_state[half:])]
        inputs.append(walk.emit(word("collect"), *pair))
    taken = {f"forward/{k}": w for k, w in weights.items()} | {f"backward/{k}": w for k, w in back_weights.items()}
    y = walk.emit(word("bidirectional")(one_way, **options), *inputs, weights=taken)
    states = []
    if layer.return_state:
        carries = _parts(walk, walk.emit(word("at")("1"), y), 2)
        states = [h for carry in carries for h in _parts(walk, carry, _states(forth.cell))]
        y = walk.emit(word("at")("0"), y)
    outs = _parts(walk, y, 2) if layer.merge_mode is None else [y]
    return [*outs, *states] if states or len(outs) > 1 else outs[0]


@rules(*(f"keras.layers.ConvLSTM{n}D" for n in (1, 2, 3)))
def _conv_lstm(walk, layer, x, initial_state=None, mask=None):
    _whole(walk, layer, mask)
    if layout(layer):
        raise PortError('channels last; set data_format="channels_last" in the Keras model')
    cell = layer.cell
    made = word("conv_lstm")(
        cell.filters, one(cell.kernel_size), activation(cell.activation), activation(cell.recurrent_activation),
        stride=one(cell.strides), padding=cell.padding, dilation=one(cell.dilation_rate), bias=cell.use_bias,
        **{rate: float(getattr(cell, rate) % 1) for rate in ("dropout", "recurrent_dropout")},  # 1 is none in Keras
        **_over_time(layer),
    )  # fmt: skip
    weights = {"kernel": cell.kernel, "recurrent_kernel": cell.recurrent_kernel, "bias": cell.bias}
    first = () if initial_state is None else (_carry(walk, initial_state),)
    inputs = (x, *first) if mask is None else (x, mask, *first)
    return _given(walk, layer, *_with_states(walk, layer, cell, walk.emit(made, *inputs, weights=weights)))


_FREE = ("fc", "batch_norm", "layer_norm", "rms_norm", "dropout")  # the time axis is nothing to them


@rule("keras.layers.TimeDistributed")
def _time_distributed(walk, layer, x, mask=None):
    if mask is not None and getattr(layer.layer, "_call_has_mask_arg", False):
        raise PortError("a layer inside that takes no mask")
    with walk.recorded() as ops:
        y = walk.inside(layer.layer, x, layer._build_shapes_dict["input_shape"][2:])
    for op in ops:
        if op.layer.kind not in _FREE:
            walk.replace_op(op, layer=word("time_distributed")(op.layer))
    return y


def _whole(walk: Any, layer: Any, mask: Any) -> None:
    """Raise `PortError` for options that have no equivalent."""
    if layer.stateful:
        raise PortError("stateful=False; a carry is an input and an output here: lstm(8, return_carry=True)")
    if mask is not None and layer.return_sequences and not layer.zero_output_for_mask:
        node = walk.node
        if not unread(walk, node.outputs[0], walk.keywords(node).get("mask")):
            raise PortError("zero_output_for_mask=True where padded steps are read on: they are zeros here")


def _over_time(layer: Any) -> dict[str, Any]:
    made: dict[str, Any] = {} if layer.return_sequences else {"output": "last"}
    if layer.return_state:
        made["return_carry"] = True
    if layer.go_backwards:
        made["reverse"] = True
    return made


def _cell(walk: Any, cell: Any) -> tuple[Any, dict[str, Any]]:
    """The recurrent layer for a Keras cell, and its weights."""
    name = _WORDS.get(type(cell).__name__)
    if name is None:
        raise PortError(f"a cell of Keras, got {type(cell).__name__}; teach its layer with @compose.port.rule")
    options: dict[str, Any] = {"activation": activation(cell.activation), "bias": cell.use_bias}
    for rate in ("dropout", "recurrent_dropout"):
        options[rate] = float(getattr(cell, rate))
    weights = {"kernel": cell.kernel, "recurrent_kernel": cell.recurrent_kernel, "bias": cell.bias}
    if name != "rnn":
        options["recurrent_activation"] = activation(cell.recurrent_activation)
    if name == "gru":
        options |= {"reset_after": cell.reset_after, "recurrent_bias": cell.reset_after and cell.use_bias}
        weights = _gru(walk, cell)
    return word(name)(cell.units, **options), weights


def _gru(walk: Any, cell: Any) -> dict[str, View]:
    """Keras's gates z, r, n as our r, z, n; its two biases are the rows of one array."""
    size, order = cell.units, (1, 0, 2)

    def gates(weight: Any, **rows: Any) -> View:
        lead = weight.shape[:-1] if not rows else ()
        options = {"split": (*lead, 3, size), "order": (len(lead), order), "shape": (*lead, 3 * size)}
        return walk.view(weight, **options, **rows, note="zrn→rzn")

    made = {"kernel": gates(cell.kernel), "recurrent_kernel": gates(cell.recurrent_kernel)}
    if cell.use_bias and cell.reset_after:
        made |= {"bias": gates(cell.bias, rows=(0, 1)), "recurrent_bias": gates(cell.bias, rows=(1, 2))}
    elif cell.use_bias:
        made["bias"] = gates(cell.bias)
    return made


def _states(cell: Any) -> int:
    return len(cell.state_size) if isinstance(cell.state_size, (list, tuple)) else 1


def _carry(walk: Any, states: Any) -> Any:
    parts = list(states) if isinstance(states, (list, tuple)) else [states]
    return parts[0] if len(parts) == 1 else walk.emit(word("collect"), *parts)


def _parts(walk: Any, value: Any, count: int) -> list:
    return [value] if count == 1 else [walk.emit(word("at")(str(i)), value) for i in range(count)]
