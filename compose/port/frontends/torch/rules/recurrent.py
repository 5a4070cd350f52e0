"""Recurrent layers, their stacked states, and their initial states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from compose.combinators.branch import collect
from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.torch.constants import without_batch
from compose.port.frontends.torch.operands import as_value
from compose.port.frontends.torch.registry import rules
from compose.port.ir.weights import View
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import Pending, Value, Weight

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@rules(*(f"aten.{name}.input" for name in RECURRENT))
def _recurrent(low, node, x, first, weights, has_biases, layers, rate, train, both, batch_first):
    name = str(node.target).split(".")[1]
    kind = name.split("_")[0]
    x = low.moved(x, (0, 1, 2) if batch_first else (1, 0, 2))
    ways = 2 if both else 1
    each = len(weights) // (layers * ways)
    rows = [weights[i : i + each] for i in range(0, len(weights), each)]
    cell = word(kind)(rows[0][0].shape[0] // _GATES[kind], **_options(name, has_biases, rows[0]))
    starts = _starts(low, first, layers * ways, x)
    hidden: list[Callable[[], Value]] = []
    carried: list[Callable[[], Value]] = []
    reads_cell = kind == "lstm" and low.reads(2)
    for i in range(layers):
        mine, start = rows[i * ways : (i + 1) * ways], starts[i * ways : (i + 1) * ways]
        x, memory = _layer(low, cell.but(return_carry=reads_cell), x, mine, start)
        size = x.shape[2] // ways
        texts = [":, -1"] if not both else [f":, -1, :{size}", f":, 0, {size}:"]
        hidden += [_Part(low, x, text, (x.shape[x.axes[0]], size)) for text in texts]
        carried += memory
        if rate and i < layers - 1:
            x = low.emit(word("dropout")(rate), x, shape=x.shape)
    return (x, States(low, hidden), States(low, carried)) if kind == "lstm" else (x, States(low, hidden))


_GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def _options(name: str, has_biases: bool, row: list[Weight]) -> dict[str, Any]:
    made: dict[str, Any] = {} if name == "gru" else {"recurrent_bias": has_biases}
    if not has_biases:
        made |= {"bias": False} | ({"recurrent_bias": False} if name == "gru" else {})
    if name == "rnn_relu":
        made["activation"] = word("relu")
    if len(row) % 2:
        made["projection"] = row[-1].shape[0]
    return made


def _layer(low, cell: Any, x: Value, rows: list[list[Weight]], start: list) -> tuple[Value, list[Callable]]:
    """One layer, in one direction or both: its outputs, and a reader of the final state for each direction."""
    names = ("",) if len(rows) == 1 else ("forward/", "backward/")
    views = {f"{name}{k}": view for name, row in zip(names, rows) for k, view in _weights(row).items()}
    layer = cell if len(rows) == 1 else word("bidirectional")(cell)
    given = (x,) if start[0] is None else (x, start[0] if len(rows) == 1 else _together(low, *start))
    width = (cell.projection if cell.kind == "lstm" and cell.projection else cell.size) * len(rows)
    shape, axes = (*x.shape[:2], width), x.axes
    if not cell.return_carry:
        return low.emit(layer, *given, shape=shape, axes=axes, weights=views), []
    both = low.emit(layer, *given, shape=(), axes=(), weights=views)
    part = lambda value, i, **as_: low.emit(word("at")(str(i)), value, **({"shape": (), "axes": ()} | as_))
    carry = part(both, 1)
    carries = [carry] if len(rows) == 1 else [part(carry, 0), part(carry, 1)]
    memory = [_Part(low, c, "1", (x.shape[x.axes[0]], cell.size)) for c in carries]
    return part(both, 0, shape=shape, axes=axes), memory


def _starts(low, first: Any, count: int, beside: Value) -> list:
    """The initial carry for each layer and direction, None for zeros; a learned one stands beside a value."""
    states = list(first) if isinstance(first, (list, tuple)) else [first]
    if all(isinstance(s, np.ndarray) and not s.any() for s in states):
        return [None] * count
    each = [[_state(low, s, i, beside) for s in states] for i in range(count)]
    return [parts[0] if len(parts) == 1 else _together(low, *parts) for parts in each]


def _state(low, states: Any, index: int, beside: Value) -> Value:
    if isinstance(states, States):
        return states.select(index)
    if isinstance(states, (np.ndarray, Weight)):
        layer, arrays = layer_of(_known(states, index), (states.shape[-1],))
        return low.emit(layer, beside, shape=(beside.shape[beside.axes[0]], states.shape[-1]), axes=(0, 1), **arrays)
    states = low.as_source(states)
    return low.emit(word("at")(str(index)), states, shape=states.shape[1:], axes=(0, 1))


def _known(states: Any, index: int) -> Any:
    """The same state for each example, of an array `(layers, 1, size)`."""
    array = states.array if isinstance(states, Weight) else states
    if array.ndim != 3 or not (array == array[:, :1]).all():
        raise PortError("states to start from that are the same for each example; others as an input")
    row = array[index, 0]
    if not isinstance(states, Weight):
        return row
    if states.view != View(states.view.source, shape=states.view.shape):
        raise PortError("states to start from that are a parameter of their own, or an input")
    rows = None if len(array) == 1 else (index, index + 1)
    return Weight.of(replace(states.view, rows=rows, shape=row.shape), row, states.trained)


def _together(low, *parts: Value) -> Value:
    return low.emit(collect, *parts, shape=(), axes=())


def _weights(row: list[Weight]) -> dict[str, View]:
    names = ["kernel", "recurrent_kernel", "bias", "recurrent_bias"][: len(row) // 2 * 2]
    names += ["projection_kernel"] * (len(row) % 2)
    return {n: replace(w.view, axes=(1, 0)) if n.endswith("kernel") else w.view for n, w in zip(names, row)}


@rules(*(f"aten.{name}_cell" for name in RECURRENT))
def _cell(low, node, x, first, *weights):
    """One step, by its parts; states that are no values yet, as the zeros that it starts from, become some."""
    nodes = node.args[1] if isinstance(node.args[1], (list, tuple)) else [node.args[1]]
    for n in nodes:
        if isinstance(low.env[n], (np.ndarray, Weight)):
            low.env[n] = as_value(low, without_batch(low.env[n]), x)
    return low.in_parts(node)


class _Part:
    """A slice of a value, emitted when it is read."""

    def __init__(self, low: Any, x: Value, text: str, shape: tuple[int, ...]):
        self.low, self.x, self.text, self.shape = low, x, text, shape

    def __call__(self) -> Value:
        return self.low.emit(word("at")(self.text), self.x, shape=self.shape, axes=(0, 1))


class States(Pending):
    """torch's `h_n` or `c_n`: the final states of all layers and directions, stacked before the batch axis."""

    def __init__(self, low: Any, each: list[Callable[[], Value]]):
        self.low, self.each = low, each

    def select(self, index: int) -> Value:
        """The state of one layer and way, `h_n[index]`."""
        return self.each[index]()

    def value(self) -> Value:
        parts = [part() for part in self.each]
        layer = word("ops.expand_dims")(axis=0) if len(parts) == 1 else word("stack_inputs")(axis=0)
        return self.low.emit(layer, *parts, shape=(len(parts), *parts[0].shape), axes=(0, 1, 2))
