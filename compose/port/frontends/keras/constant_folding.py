"""What Keras's operations make of weights and constants alone: arrays, and weights that are turned or reshaped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.port.ir.weights import View
from compose.port.lowering.batch import BatchNumber
from compose.port.lowering.literals import number
from compose.port.lowering.values import BATCH, BroadcastWeight


def known_result(walk: Any, op: Any, args: Any, kwargs: Any) -> Any:
    """The result of an operation that reads no value of the model. Raises `PortError` for a weight computed on."""
    leaves = keras.tree.flatten((args, kwargs))
    if not any(isinstance(v, (keras.Variable, BroadcastWeight)) for v in leaves):
        return op.call(*args, **kwargs)
    wide = _widened(walk, op, leaves)
    if wide is not None:
        return wide
    move, (first, *rest) = _MOVES.get(type(op).__name__), [*args, *kwargs.values()]
    weight = walk.weight(first)
    made = None if move is None or weight is None else move(op, weight, *rest)
    if made is None:
        raise PortError(
            f"weights as they are, turned or reshaped, got {type(op).__name__} of {_named(walk, leaves)}; "
            "compute it from a value, or teach the layer: @compose.port.rule(TheLayer)"
        )
    return made


def positions(walk: Any, table: Any, places: Any) -> BroadcastWeight:
    """The first rows of a table, as those of positions."""
    places, (count, size) = np.asarray(keras.ops.convert_to_numpy(places)), table.shape
    time = places.shape[-1] if places.ndim else 0
    if not (places == np.arange(time)).all():
        raise PortError("an embedding of ids that are an input, or of the positions 0, 1, 2, ...")
    own, rows = (*(1,) * (places.ndim - 1), time, size), None if time == count else (0, time)
    weight = BroadcastWeight.stored(walk.view(table).source, (count, size))
    return weight.taken(replace(weight.view, rows=rows, shape=own), (*places.shape, size), own, count)


def _named(walk: Any, leaves: list) -> str:
    return ", ".join(w.view.source for w in map(walk.weight, leaves) if w is not None)


def _widened(walk: Any, op: Any, operands: list) -> BroadcastWeight | None:
    """A weight that ones are multiplied by, or zeros added to, which repeats it; None for another operation."""
    idle = {"Add": 0, "Multiply": 1}.get(type(op).__name__)
    known = [x for x in operands if walk.weight(x) is None]
    weight = next(w for w in map(walk.weight, operands) if w is not None)
    if idle is None or len(known) != 1 or isinstance(known[0], BatchNumber):
        return None
    array = np.asarray(keras.ops.convert_to_numpy(known[0]))
    if number(array) != idle:
        return None
    shape = np.broadcast_shapes(weight.shape, array.shape)
    return weight if shape == weight.shape else weight.broadcast(shape, _last_axes(weight, shape))


def _last_axes(weight: BroadcastWeight, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(len(shape) - len(weight.shape), len(shape)))


def _same(op: Any, weight: BroadcastWeight, *_: Any) -> BroadcastWeight:
    return weight


def _transpose(op: Any, weight: BroadcastWeight) -> BroadcastWeight | None:
    return weight.transposed(tuple(op.axes or reversed(range(len(weight.shape)))))


def _shaped(op: Any, weight: BroadcastWeight, *_: Any) -> BroadcastWeight | None:
    return weight.reshaped(tuple(op.compute_output_spec(keras.KerasTensor(weight.shape)).shape))


def _get_item(op: Any, weight: BroadcastWeight, key: Any) -> BroadcastWeight | None:
    """An index that adds axes, or takes one row, or some in a run."""
    shape = np.empty(weight.shape, bool)[key].shape
    parts = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not None and part is not Ellipsis]
    if all(part == slice(None) for part in parts):
        return weight.reshaped(shape)
    first, *rest = parts
    if weight.view != View(weight.view.source) or any(part != slice(None) for part in rest):
        return None
    places = range(weight.shape[0])[first]
    start, stop = (places, places + 1) if isinstance(places, int) else (places.start, places.stop)
    if not isinstance(places, int) and places.step != 1:
        return None
    whole = isinstance(first, slice) and shape == (stop - start, *weight.shape[1:])
    table, cut = weight.shape[0] if whole and start == 0 and len(shape) == 2 else 0, None if whole else shape
    return weight.taken(replace(weight.view, rows=(start, stop), shape=cut), shape, places=table)


def _broadcast(op: Any, weight: BroadcastWeight, *_: Any) -> BroadcastWeight | None:
    shape = tuple(BATCH if n is None else n for n in op.shape)
    return weight.broadcast(shape, _last_axes(weight, shape))


def _repeated(op: Any, weight: BroadcastWeight, *_: Any) -> BroadcastWeight | None:
    """A weight once for each example."""
    sizes: Any = tuple(op.repeats) if isinstance(op.repeats, list) else op.repeats
    if type(op).__name__ == "Repeat" and op.axis == 0:
        sizes = (op.repeats, *[1] * (len(weight.shape) - 1))
    if not isinstance(sizes, tuple) or weight.shape[0] != 1 or any(n != 1 for n in sizes[1:]):
        return None
    return weight.broadcast((sizes[0], *weight.shape[1:]), tuple(range(len(weight.shape))))


_MOVES = {
    "Identity": _same, "Cast": _same, "ConvertToTensor": _same, "Transpose": _transpose, "Reshape": _shaped,
    "ExpandDims": _shaped, "Squeeze": _shaped, "GetItem": _get_item, "BroadcastTo": _broadcast, "Tile": _repeated,
    "Repeat": _repeated,
}  # fmt: skip
