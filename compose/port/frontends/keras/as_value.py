"""Weights and constants as values, where a model gives them or where an operation needs one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.values import BATCH, BroadcastWeight, GraphValue


def as_value(walk: Any, made: Any) -> GraphValue:
    """A weight or constant as a value. Raises `PortError` for a weight repeated along other axes than the batch."""
    if isinstance(made, GraphValue):
        return made
    weight = walk.weight(made)
    if weight is None:
        return _constant(walk, np.asarray(keras.ops.convert_to_numpy(made)))
    if not repeats(weight):
        layer, arrays = layer_of(weight, _own_shape(weight), batch=False)
        return walk.emit(layer, walk.inputs[0], shape=weight.shape, **arrays)
    own, rest = weight.own[1:], weight.shape[1:]
    layer, arrays = layer_of(weight.reshaped_view(own), own)
    value = walk.repeated(layer, shape=(BATCH, *own), **arrays)
    return value if own == rest else walk.emit(word("broadcast_to")(*rest), value, shape=weight.shape)


def repeats(x: Any) -> bool:
    """Whether a weight is repeated for each example."""
    return isinstance(x, BroadcastWeight) and x.shape[:1] == (BATCH,) and x.own[:1] == (1,)


def _constant(walk: Any, array: np.ndarray) -> GraphValue:
    if array.shape[:1] != (BATCH,):
        layer, arrays = layer_of(array, array.shape, batch=False)
        return walk.emit(layer, walk.inputs[0], shape=array.shape, **arrays)
    if not (array == array[:1]).all():
        raise PortError("numbers that are the same for each example")
    layer, arrays = layer_of(np.array(array[0]), array.shape[1:])
    return walk.repeated(layer, shape=array.shape, **arrays)


def is_number(walk: Any, x: Any) -> bool:
    """Whether an operand is a single constant."""
    return not isinstance(x, (GraphValue, keras.KerasTensor)) and walk.weight(x) is None and np.ndim(x) == 0


def _own_shape(weight: BroadcastWeight) -> tuple[int, ...]:
    if weight.shape == weight.own:
        return weight.shape
    raise PortError(
        f"a weight as it is, or repeated for each example, got the weight {weight.view.source} of shape {weight.own} "
        f"repeated to {tuple('batch' if n % BATCH == 0 else n for n in weight.shape)}"
    )
